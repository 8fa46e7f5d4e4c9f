"""`tccc trace`: everything that happened to a session or a push, in order of time."""

import asyncio
from pathlib import Path
from typing import Any

import click

from console.dead.listing import printable
from console.history import Event, History, open_sources
from console.output import json_option, print_json, print_table
from console.progress import Say, progress
from console.target import home_option, target
from console.times import iso
from schemas.errors import OperatorError
from schemas.settings import Settings

EXAMPLES = """\b
Examples:
  tccc trace 7f1d2c5a-0c5e-4c9c-8a4e-2f6e5c1b9d10
  tccc trace sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 --json
"""


@click.command("trace", epilog=EXAMPLES)
@click.argument("identity", metavar="SESSION_ID|PUSH_ID")
@json_option
@home_option
def trace(identity: str, home: Path, *, as_json: bool) -> None:
    """Show what happened to a push or to all pushes of a session: received, published, settled, dead, replayed.

    Looks in the ledger, in the dead letters and among the records not consumed yet. A push id is looked for
    from the ledger's newest day back. Nothing of a body is shown. Of a session that 'tccc erase' removed, it
    tells when, and what of it Kafka still has. Exits with 1 if nothing is known of it.
    """
    with progress(f"trace: {identity}") as say:
        history = asyncio.run(_trace(target(home).settings, identity, say))
    if not history.events and not history.rows:
        raise OperatorError(f"nothing is known of {identity}: no session or push has this id")
    if as_json:
        print_json(
            {
                "session_id": history.session_id,
                "push_id": history.push_id,
                "events": [_as_object(event) for event in history.in_order()],
                "rows": [{**row, "received_at": iso(row["received_at"])} for row in history.rows],
                "tail_unread": history.tail_unread,
            }
        )
        return
    _print(history)


async def _trace(settings: Settings, identity: str, say: Say) -> History:
    async with open_sources(settings) as sources:
        history = History(sources, identity, say)
        await history.look()
    return history


def _as_object(event: Event) -> dict[str, Any]:
    at = {"at": iso(event.at_us), "event": event.what, "push_id": event.push_id, "action": event.action}
    return at | event.facts


def _print(history: History) -> None:
    rows = [
        [iso(event.at_us), event.what, event.action, event.push_id, _facts(event.facts)]
        for event in history.in_order()
    ]
    print_table(
        f"Session {printable(history.session_id)}" if history.session_id else "What happened",
        ("at", "event", "action", "push id", "facts"),
        [[printable(cell) for cell in row] for row in rows],
    )
    shown = [
        [row["table"], row["push_id"], row["source"], iso(row["received_at"]), ", ".join(row["earlier"])]
        for row in history.rows
    ]
    if shown:
        columns = ("table", "shows push", "source", "received", "earlier pushes")
        print_table("Rows now", columns, [[printable(cell) for cell in row] for row in shown])
    if history.tail_unread:
        click.echo(f"{history.tail_unread} records not consumed yet were not looked at: the lag is too long")


def _facts(facts: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in facts.items() if value not in (None, ""))
