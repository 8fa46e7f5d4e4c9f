"""`tccc doctor`: examines everything at once and prints what it found."""

import asyncio
from collections import Counter
from pathlib import Path

import click
from rich.text import Text

from console.doctor import collector, database, doors, kafka, machine, processes
from console.doctor.finding import Finding
from console.output import json_option, print_json, print_table
from console.target import Target, admin_options, home_option, target

FAILED = 1
_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}

EXAMPLES = """\b
Examples:
  tccc doctor
  tccc doctor --home /var/tmp/tccc
  tccc doctor --json | jq '.findings[] | select(.state != "ok")'
"""


@click.command("doctor", epilog=EXAMPLES)
@home_option
@admin_options
@json_option
def doctor(
    home: Path, receiver_admin: tuple[str, ...], worker_admin: tuple[str, ...], *, as_json: bool
) -> int:
    """Look whether each dependency can be reached and is well, and say what to do if not.

    Exit status 1 if something failed; warnings alone are 0. Changes nothing. With --worker-admin alone, what only
    concerns receivers is left out.
    """
    findings = asyncio.run(examine(target(home, receiver_admin, worker_admin)))
    failed = any(finding.state == "fail" for finding in findings)
    if as_json:
        print_json({"ok": not failed, "findings": findings})
    else:
        _print(findings)
    return FAILED if failed else 0


async def examine(about: Target) -> list[Finding]:
    receives = bool(about.receiver_admin_urls)  # a worker's machine has neither a spool nor a door
    groups = await asyncio.gather(
        kafka.examine(about.settings),
        database.examine(about.settings),
        asyncio.to_thread(machine.examine, about.settings, receives=receives),
        *([doors.examine(about.settings)] if receives else []),
        collector.examine(about.settings),
        processes.examine(about),
    )
    return [finding for group in groups for finding in group]


def _print(findings: list[Finding]) -> None:
    print_table(
        "Findings",
        ["", "what", "how it is"],
        [[Text(each.state, _STYLES[each.state]), each.check, each.detail] for each in findings],
    )
    for each in findings:
        if each.remedy:
            click.echo(f"{each.state}: {each.check}: {each.remedy}")
    found = Counter(each.state for each in findings)
    click.echo(f"{found['ok']} ok, {found['warn']} warnings, {found['fail']} failed")
