"""The report on a terminal: a table with small bars."""

from rich.text import Text

from console.output import print_table
from console.report.question import Answer
from console.report.words import cell, heading, name_of, subtitle

BAR_WIDTH = 12
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def print_report(answer: Answer) -> None:
    kind = answer.question.kind
    most = max((row[kind.volume] for row in answer.rows), default=0)
    columns = ["", "", *(f"{heading(column)}#" for column in kind.shown)]
    rows = [
        [name_of(answer, row), _bar(row[kind.volume], row[kind.part], most)]
        + [cell(column, row[column]) for column in kind.shown]
        for row in answer.rows
    ]
    print_table(f"{kind.title}: {subtitle(answer)}", columns, rows)


def _bar(volume: int, part: int, most: int) -> Text:
    """The part in green, in whole cells, then the rest of the volume."""
    whole = bar(volume, most)
    green = round(part / most * BAR_WIDTH) if most else 0
    return Text.assemble((whole[:green], "green"), (whole[green:], "red"))


def bar(value: int, most: int) -> str:
    """A bar of up to BAR_WIDTH cells, in steps of an eighth."""
    eighths = round(value / most * BAR_WIDTH * 8) if most else 0
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")
