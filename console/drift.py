"""`tccc drift`: what the vendor sends and the protocol does not list."""

import asyncio
from pathlib import Path

import click
from msgspec import Struct

from console.output import json_option, print_json, print_table
from console.postgres import open_database
from console.target import home_option, target
from console.times import iso, iso_time

EXAMPLES = """\b
Examples:
  tccc drift
  tccc drift --since 2025-03-01
  tccc drift --json | jq '.drift[] | select(.kind == "value")'
"""
_DRIFT = """
SELECT kind, action, name, value, source, records, first_seen, last_seen FROM tccc.drift
WHERE last_seen >= $1 ORDER BY kind, action, name COLLATE "C", value COLLATE "C", source
"""


class Drifted(Struct, frozen=True, kw_only=True):
    """`value` is None for a field."""

    kind: str
    action: str
    name: str
    value: str | None
    source: str
    records: int
    first_seen: str | None
    last_seen: str | None


@click.command("drift", epilog=EXAMPLES)
@click.option(
    "--since", "since_us", type=iso_time, default="1970-01-01", metavar="TIME", help="Seen since then."
)
@json_option
@home_option
def drift(since_us: int, home: Path, *, as_json: bool) -> None:
    """Show the fields and the values of enumerations that the vendor sends and the protocol does not list.

    All of it is stored all the same: unknown fields in the column extra, values in their own columns.
    """
    found = asyncio.run(_drift(target(home).settings.database_url, since_us))
    if as_json:
        print_json({"drift": found})
    elif not found:
        click.echo("nothing that the protocol does not list")
    else:
        columns = ["kind", "action", "name", "value", "source", "records#", "first seen", "last seen"]
        print_table(
            "Drift", columns, [[getattr(row, name) for name in Drifted.__struct_fields__] for row in found]
        )


async def _drift(database_url: str, since_us: int) -> list[Drifted]:
    async with open_database(database_url) as database:
        rows = await database.all(_DRIFT, since_us)
    return [
        Drifted(
            kind=kind,
            action=action,
            name=name,
            value=value or None,
            source=source,
            records=records,
            first_seen=iso(first),
            last_seen=iso(last),
        )
        for kind, action, name, value, source, records, first, last in rows
    ]
