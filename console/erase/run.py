"""The order of an erasure: what may be interrupted at any point, and ends as it should when it is run again.

All is looked for once before anything changes: a number that stands in too many sessions is refused there. Then workers
are told to store nothing of the subject any more, and what is there is removed: nothing comes in behind our back.
"""

from pathlib import Path

from msgspec import Struct

from console.dead.states import States
from console.erase import rows
from console.erase.copies import Copy, Kafka, Retention, retentions
from console.erase.subject import Search, Subject
from console.kafka import open_topic
from console.postgres import Questions, open_database
from console.progress import Say
from receiver.spool.held import HeldFiles
from receiver.spool.inspection import Matches, search
from schemas.errors import OperatorError
from schemas.settings import Settings


class Plan(Struct, frozen=True, kw_only=True):
    """What the operator asks for; `spools` are folders on this machine."""

    subject: Subject
    spools: list[Path]
    max_sessions: int
    dry_run: bool


class Erased(Struct, kw_only=True):
    """What was found and removed, by table (`push`: made anonymous), and what remains where."""

    sessions: int
    rows: dict[str, int]
    letters: list[str]
    spooled: int
    copies: list[Copy]
    retentions: dict[str, Retention]
    in_spools: Matches


async def erase(settings: Settings, plan: Plan, say: Say) -> Erased:
    """Raises DependencyAway, or OperatorError; may be run again at any time."""
    async with (
        open_database(settings.database_url) as database,
        open_topic(settings, settings.kafka_topic) as topic,
        open_topic(settings, settings.kafka_dead_topic) as dead_topic,
    ):
        found = Search(plan.subject)
        kafka = Kafka(topic, dead_topic)
        copies = await _find(database, kafka, found, plan, say)
        if not plan.dry_run:
            await rows.remember(database, plan.subject.kind, [plan.subject.identity])
            # Once more: what came in since we looked is there by now, and more of it will not come. Too many are
            # refused no longer: the number is remembered, and to stop here would leave the erasure half done.
            await _find_sessions(database, found, plan, say)
            copies = await kafka.copies(found, say)
        letters = sorted({copy.letter for copy in copies if copy.letter})
        if plan.dry_run:
            counts = await rows.counted(database, found.sessions)
        else:
            counts = await rows.remove(database, found.sessions, say)
            await rows.refresh_answers(database, say)
            await States(database).drop_erased(letters)
    spooled, in_spools = _in_spools(found, plan)
    return Erased(
        sessions=len(found.sessions),
        rows=counts,
        letters=letters,
        spooled=spooled,
        in_spools=in_spools,
        copies=copies,
        retentions=await retentions(settings),
    )


async def _find(database: Questions, kafka: Kafka, found: Search, plan: Plan, say: Say) -> list[Copy]:
    """Changes nothing; raises OperatorError for too many sessions, in rows or, with those, in records."""
    await _find_sessions(database, found, plan, say)
    _refuse_too_many(found, plan)
    if plan.subject.kind == "session" and not plan.dry_run:
        return []  # records add no session to it
    copies = await kafka.copies(found, say)
    _refuse_too_many(found, plan)
    return copies


async def _find_sessions(database: Questions, found: Search, plan: Plan, say: Say) -> None:
    if plan.subject.kind == "number":
        async for session in rows.sessions_with(database, plan.subject, say):
            found.sessions.add(session)


def _refuse_too_many(found: Search, plan: Plan) -> None:
    if len(found.sessions) > plan.max_sessions:
        raise OperatorError(
            f"that is in {len(found.sessions)} sessions, more than --max-sessions {plan.max_sessions} allows:"
            " is it a number of your own?"
        )


def _in_spools(found: Search, plan: Plan) -> tuple[int, Matches]:
    """How many records were removed, and what is left."""
    removed, left = 0, Matches()
    for folder in plan.spools:
        if not plan.dry_run:
            removed += _erase_spool(folder, found)
        here = search(folder, found.holds)
        left.owned += here.owned
        left.left += here.left
        left.damaged += here.damaged
    return removed, left


def _erase_spool(folder: Path, found: Search) -> int:
    """Files of running receivers are theirs: what they publish, workers will not store."""
    held = HeldFiles(folder)
    try:
        held.look()
        return held.erase(found.holds)
    finally:
        held.close()
