"""Runs the table against receivers and a worker that run as in production, and compares."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psutil
from msgspec import Struct
from msgspec.structs import replace

from schemas.settings import Settings
from tests.hostile.asking import Place, ask_all, produce_all
from tests.hostile.case import SDK_APP_ID, STORED, Case
from tests.hostile.credentials import BASIC_SETTINGS, OAUTH2_SETTINGS
from tests.hostile.seen import Aftermath, read_aftermath
from tests.processes import Role, running
from worker.database import connected

DEADLINE_S = 120.0
# Far above what any process needs for the table, far below what an unbounded one would take.
MEMORY_BOUND_MIB = 400.0
# Events of the logs that no input may ever cause.
DEFECTS = frozenset({"request_failed", "defect in normalising", "cannot settle, waiting"})

# What each receiver of the table has of its own. A case names the one that it is for.
RECEIVERS: dict[str, dict[str, Any]] = {
    "open": {},
    "basic": BASIC_SETTINGS,
    "oauth2": OAUTH2_SETTINGS,
    "one-centre": {"sdk_app_ids": (7_000_000, SDK_APP_ID)},
}


class Verdict(Struct, frozen=True):
    """A case, what was seen of it, and in what that differs from what was expected."""

    case: Case
    answer: str
    ends: str
    differences: list[str]


class Ran(Struct, frozen=True):
    """A run of the table. Memory is resident, in MiB, before and after, by process."""

    verdicts: list[Verdict]
    memory_mib: dict[str, tuple[float, float]]
    defects: list[dict[str, Any]]

    @property
    def differing(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.differences]


async def run(table: Sequence[Case], settings: Settings) -> Ran:
    """Send all, wait until all is settled, and look. The topics and the database have to be there, and empty."""
    cases = [case.numbered(number) for number, case in enumerate(table, 1)]
    posted = [(number, case) for number, case in enumerate(cases, 1) if isinstance(case.sent, bytes)]
    produced = [(number, case) for number, case in enumerate(cases, 1) if not isinstance(case.sent, bytes)]
    async with AsyncExitStack() as stack:
        roles = {
            name: await stack.enter_async_context(_receiver(settings, name)) for name in _receivers(cases)
        }
        ports = {name: await _port_of(role) for name, role in roles.items()}
        roles["worker"] = await stack.enter_async_context(running("worker", settings))
        await _until(roles["worker"].ready)
        before = {name: _resident_mib(role) for name, role in roles.items()}
        answers = await ask_all([case for _, case in posted], ports)
        places = await produce_all([case for _, case in produced], settings)
        database = await stack.enter_async_context(connected(settings.database_url))
        await database.execute("SET timezone TO 'UTC'")
        aftermath = await read_aftermath(settings, database, _until)
        seen: dict[int, tuple[str, Place | None]] = {
            number: (answer, None) for (number, _), answer in zip(posted, answers, strict=True)
        }
        seen |= {number: ("", place) for (number, _), place in zip(produced, places, strict=True)}
        verdicts = [
            await _judge(number, case, *seen[number], aftermath) for number, case in enumerate(cases, 1)
        ]
        memory = {name: (mib, _resident_mib(roles[name])) for name, mib in before.items()}
        defects = [line for role in roles.values() for line in role.log if line.get("event") in DEFECTS]
    return Ran(verdicts, memory, defects)


async def _judge(number: int, case: Case, answer: str, place: Place | None, aftermath: Aftermath) -> Verdict:
    ends = aftermath.ends(number, place)
    differences = []
    if answer != case.answer:
        differences.append(f"answer: expected {case.answer}, seen {answer}")
    if sorted(ends.split(", ")) != sorted(case.ends.split(", ")):
        differences.append(f"ends: expected {case.ends}, seen {ends}")
    elif STORED in ends:
        differences += _compare(case, await aftermath.row(case, number, place))
    return Verdict(case, answer, ends, differences)


def _compare(case: Case, row: dict[str, Any] | None) -> list[str]:
    if row is None:
        return ["no row"]
    expected = {"extra": None, "repairs": None} | case.columns
    participants = expected.pop("participants", [])
    differing = _differing("", expected, row)
    served = row.get("participants", [])
    if len(served) != len(participants):
        differing.append(f"{len(participants)} participants expected, {len(served)} seen")
    for position, (wanted, one) in enumerate(zip(participants, served, strict=False)):
        differing += _differing(f"participant {position}: ", wanted, one)
    return differing


def _differing(where: str, expected: dict[str, Any], row: dict[str, Any]) -> list[str]:
    return [
        f"{where}{name}: expected {value!r:.80}, seen {row[name]!r:.80}"
        for name, value in expected.items()
        if row[name] != value
    ]


def _receivers(cases: Sequence[Case]) -> list[str]:
    return sorted({case.receiver for case in cases if isinstance(case.sent, bytes)})


@asynccontextmanager
async def _receiver(settings: Settings, name: str) -> AsyncIterator[Role]:
    """One that is patient with Kafka, so that all goes there, and impatient with its clients."""
    own = replace(
        settings,
        head_timeout_s=2.0,
        body_timeout_s=2.0,
        ack_timeout_s=20.0,
        dead_per_minute=100_000,
        spool_dir=f"{settings.spool_dir}-{name}-{uuid.uuid4().hex}",
        **RECEIVERS[name],
    )
    async with running("receiver", own) as role:
        await role.event("kafka_connected")
        yield role


async def _port_of(role: Role) -> int:
    found = re.search(r":(\d+)/", (await role.event("started"))["push"])
    assert found is not None
    return int(found[1])


async def _until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():
            await asyncio.sleep(0.05)


def _resident_mib(role: Role) -> float:
    return float(psutil.Process(role.process.pid).memory_info().rss) / 2**20
