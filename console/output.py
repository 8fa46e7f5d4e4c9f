"""How results are printed: tables for people, one JSON object for programs."""

from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def print_json(result: Any) -> None:
    """One line on standard output."""
    click.echo(msgspec.json.encode(result))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Columns whose names end in '#' hold numbers and stand to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for column in columns:
        table.add_column(column.removesuffix("#"), justify="right" if column.endswith("#") else "left")
    for row in rows:
        table.add_row(*["" if value is None else str(value) for value in row])
    console().print(table)


def console() -> Console:
    """Standard output; in a pipe as wide as it takes, so that nothing is cut."""
    on_terminal = Console().is_terminal
    return Console(width=None if on_terminal else 200, soft_wrap=not on_terminal)
