"""The report as one HTML file: opens offline, fits wide and narrow pages, prints."""

from html import escape

from console.report.question import Answer
from console.report.words import cell, heading, name_of, subtitle
from schemas.errors import OperatorError

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; color: #1d2430; margin: 0 auto; padding: 1.5rem;
  max-width: 84rem; background: #fff; }
h1 { font-size: 1.5rem; margin: 0; } p { color: #5a6472; margin: .2rem 0 1.2rem; }
dl { display: flex; flex-wrap: wrap; gap: .6rem; margin: 0 0 1.2rem; }
dl div { border: 1px solid #d8dde4; border-radius: .4rem; padding: .5rem .9rem; min-width: 6.5rem; }
dt { color: #5a6472; font-size: .8rem; } dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
figure { margin: 0 0 1rem; } svg { width: 100%; height: auto; display: block; } .narrow { display: none; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .8rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .35rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #e6e9ee; }
th { color: #5a6472; font-weight: 600; white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
@media (max-width: 44rem) { body { padding: 1rem .8rem; } .narrow { display: block; } .wide { display: none; } }
@media print { @page { size: A4 landscape; margin: 12mm; } body { padding: 0; max-width: none; font-size: 11px; }
  .table { overflow: visible; } table { font-size: 8px; } th, td { padding: .15rem .25rem; }
  .narrow { display: none; } .wide { display: block; max-width: 85%; } figure, tr { break-inside: avoid; }
  thead { display: table-header-group; } td:first-child { white-space: normal; position: static; } }
"""
# What a browser would fetch is forbidden by the page itself.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def as_html(answer: Answer) -> bytes:
    """Raises OperatorError if the plotting library is not installed."""
    try:
        from console.report.charts import NARROW, WIDE, charts
    except ImportError as exc:
        raise OperatorError("HTML needs a library: pip install 'tccc-ingest[report]'") from exc
    title, about = escape(answer.question.kind.title), escape(subtitle(answer))
    figures = ""
    if answer.rows:
        for wide, narrow in zip(charts(answer, WIDE), charts(answer, NARROW), strict=True):
            figures += f'<figure><div class="wide">{wide}</div><div class="narrow">{narrow}</div></figure>\n'
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><link rel="icon" href="data:,">
<title>{title}</title><style>{_STYLE}</style></head><body>
<h1>{title}</h1><p>{about}</p>
{_totals(answer)}{figures}{_table(answer)}
</body></html>
""".encode()


def _totals(answer: Answer) -> str:
    kind = answer.question.kind
    columns = [
        column
        for column in kind.shown
        if column in {"offered", "answered", "abandoned", "missed", "repeated"}
    ]
    told = "".join(
        f"<div><dt>{escape(heading(column))}</dt><dd>{sum(row[column] for row in answer.rows):,}</dd></div>"
        for column in columns
    )
    return f"<dl>{told}</dl>\n"


def _table(answer: Answer) -> str:
    shown = answer.question.kind.shown
    head = "".join(f"<th>{escape(heading(column))}</th>" for column in shown)
    rows = ""
    for row in answer.rows:
        cells = "".join(f"<td>{escape(cell(column, row[column]))}</td>" for column in shown)
        rows += f"<tr><td>{escape(name_of(answer, row))}</td>{cells}</tr>\n"
    if not rows:
        return "<p>No calls began in this time.</p>"
    return f'<div class="table"><table><thead><tr><th></th>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>'
