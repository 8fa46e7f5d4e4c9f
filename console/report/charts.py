"""Charts as SVG that stands in the page: no script, nothing to fetch, sharp in print."""

import io
import re
import warnings
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from console.report.question import Answer
from console.report.words import name_of

WIDE, NARROW = (10.0, 3.0), (4.6, 3.2)  # inches; the page shows the one that fits
MOST_BARS = 40  # the largest; the table has them all
LONGEST_NAME = 18

_ANSWERED, _NOT, _LEVEL = "#2f6f4f", "#d9825f", "#20538d"
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: it can be searched and copied
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def charts(answer: Answer, size: tuple[float, float]) -> list[str]:
    """The volume, and the service level of the same rows, each as an SVG element."""
    kind = answer.question.kind
    rows = answer.rows
    if kind.bucket == "all":
        rows = sorted(rows, key=lambda row: row[kind.volume], reverse=True)[:MOST_BARS]
        rows = [row for row in rows if row[kind.volume]]
    names = [_short(name_of(answer, row)) for row in rows]
    with mpl.rc_context(_STYLE | {"svg.hashsalt": f"volume{size}"}):
        figure, axes = _axes(size, names, "")
        axes.bar(
            range(len(rows)),
            [row[kind.volume] for row in rows],
            color=_NOT,
            label=f"{kind.volume}, not {kind.part}",
        )
        axes.bar(range(len(rows)), [row[kind.part] for row in rows], color=_ANSWERED, label=kind.part)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
        volume = _svg(figure)
    with mpl.rc_context(_STYLE | {"svg.hashsalt": f"level{size}"}):
        figure, axes = _axes(size, names, "service level")
        levels = [
            float("nan") if row["service_level"] is None else float(row["service_level"]) for row in rows
        ]
        axes.plot(range(len(rows)), levels, "o-" if kind.bucket != "all" else "o", color=_LEVEL, markersize=4)
        axes.set_ylim(0, 1.05)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        return [volume, _svg(figure)]


def _short(name: str) -> str:
    """As much of a name as an axis has room for; a dollar sign would begin a formula."""
    cut = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    return cut.replace("$", r"\$")


def _axes(size: tuple[float, float], names: list[str], title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontweight="bold")
    step = -(-len(names) // max(1, int(size[0] * 2)))  # as many names as there is room for
    shown = range(0, len(names), step or 1)
    long = max((len(name) for name in names), default=0) > 6
    axes.set_xticks(
        list(shown),
        [names[n] for n in shown],
        rotation=45 if long else 0,
        ha="right" if long else "center",
    )
    axes.margins(x=0.01)
    axes.grid(axis="y", linewidth=0.4)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Figure) -> str:
    """The element alone, which grows and shrinks with the page."""
    text = io.StringIO()
    with warnings.catch_warnings():
        # Only measured with a font that lacks it: the browser draws the text with its own.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(
            text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    element = text.getvalue()[text.getvalue().index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    return re.sub(r' (?:width|height)="[\d.]+pt"', "", element, count=2)
