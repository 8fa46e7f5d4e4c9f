"""`python -m tests.vendor.day`: a simulated day with some pushes withheld; reconcile, killed on the way, finds just those."""

import asyncio
import hashlib
from collections.abc import Sequence
from random import Random

import click

from console.fake_vendor.store import Store
from console.simulator import Session
from tests.pipeline import Database, produce
from tests.vendor.centre import calls, recent_sessions, sent, span_of, withheld
from tests.vendor.stage import PAGE_SIZE, Ended, Stage, own_services, run

_BATCH = 5000
# What a pushed row says, and which push it shows; what it remembers of others may grow by an api: one.
_PUSHED = """
SELECT (to_jsonb(c) - 'earlier_push_ids' - 'earlier_received_at' - 'updated_at')::text
FROM tccc.call AS c WHERE source = 'push' ORDER BY session_id
"""


async def prove(stage: Stage, sessions: Sequence[Session], *, share: float, kills: int, seed: int) -> None:
    """Raise AssertionError if anything but what was withheld is found, or a pushed value changes."""
    missing = withheld(calls(sessions), share, seed)
    begin, end = span_of(sessions)
    words = ("reconcile", "--from", begin, "--to", end, "--json")
    print(f"{len(sessions)} sessions, {len(calls(sessions))} calls, {len(missing)} withheld", flush=True)
    pushes = list(sent(sessions, missing))
    for first in range(0, len(pushes), _BATCH):
        await produce(stage.settings, pushes[first : first + _BATCH])
    database = Database(stage.settings)

    compared = await _killed_on_the_way(stage, words, kills, Random(seed))
    assert compared.status == 3, compared.err
    assert set(compared.json["missing_sessions"]) == missing
    assert compared.json["matched"] == len(calls(sessions)) - len(missing)
    assert (compared.json["extra"], compared.json["differing"]) == (0, 0)
    before = await _digest(database)
    print(f"compared: {len(missing)} missing, just those withheld; {compared.requests} requests", flush=True)

    repaired = await _killed_on_the_way(stage, (*words, "--repair"), kills, Random(seed + 1))
    assert repaired.status == 3, repaired.err
    assert set(repaired.json["missing_sessions"]) == missing
    assert (repaired.json["repaired"], repaired.json["complete_until"]) == (len(missing), end)
    assert await _digest(database) == before
    print(f"repaired: {repaired.json['repaired']}, no pushed value changed", flush=True)

    again = await run(stage, *words)
    assert (again.status, again.json["missing"], again.json["matched"]) == (0, 0, len(calls(sessions)))
    assert again.json["reconciled_until"] == end
    print(f"again: {again.json['matched']} matched, 0 missing, complete until {end}", flush=True)


async def _killed_on_the_way(stage: Stage, words: tuple[str, ...], kills: int, chance: Random) -> Ended:
    pages = -(-len(stage.fake.store.session_ids) // PAGE_SIZE)
    for _ in range(kills):
        at = chance.randrange(1, max(2, pages // kills))
        killed = await run(stage, *words, kill_after=at)
        assert killed.status == -9, killed.err
        print(f"killed after {killed.requests} requests", flush=True)
    return await run(stage, *words)


async def _digest(database: Database) -> str:
    digest = hashlib.sha256()
    for (text,) in await database.fetch(_PUSHED):
        digest.update(text.encode())
    return digest.hexdigest()


async def _main(sessions: int, share: float, kills: int, seed: int) -> None:
    made = list(recent_sessions(sessions, seed=seed))
    with Store.of(made) as store:
        async with own_services(store) as stage:
            await prove(stage, made, share=share, kills=kills, seed=seed)


@click.command()
@click.option("--sessions", default=100_000, show_default=True)
@click.option("--withhold", default=0.005, show_default=True, help="Share of calls whose push never comes.")
@click.option(
    "--kills", default=3, show_default=True, help="Of each of the two runs, at moments by the seed."
)
@click.option("--seed", default=1, show_default=True)
def main(sessions: int, withhold: float, kills: int, seed: int) -> None:
    """Prove reconciling at the size of a day."""
    asyncio.run(_main(sessions, withhold, kills, seed))
    print("proved")


if __name__ == "__main__":
    main()
