"""How results are printed: tables for people, one JSON object for programs."""

from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")

_PIPE_WIDTH = 1000  # nothing is folded for a program that reads lines


def print_json(result: Any) -> None:
    """One line on standard output."""
    click.echo(msgspec.json.encode(result))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print what `make_table` makes, with a line under its head on a terminal only."""
    on = console()
    on.print(make_table(title, columns, rows, lines=on.is_terminal))


def make_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, lines: bool) -> Table:
    """Columns whose names end in '#' hold numbers and stand to the right; a cell may be a styled Text."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=SIMPLE_HEAD if lines else None,
        pad_edge=False,
    )
    for column in columns:
        table.add_column(column.removesuffix("#"), justify="right" if column.endswith("#") else "left")
    for row in rows:
        table.add_row(*[_cell(value) for value in row])
    return table


def console() -> Console:
    """Standard output; in a pipe as wide as it takes, so that nothing is cut."""
    on_terminal = Console().is_terminal
    return Console(width=None if on_terminal else _PIPE_WIDTH, soft_wrap=not on_terminal)


def _cell(value: Any) -> Text:
    if isinstance(value, Text):
        return value
    return Text("" if value is None else str(value))  # never markup: an address may hold brackets
