"""A topic with poison of ten kinds in it: what is sound is stored, at half the calm rate at least."""

import random
import time
from collections.abc import Callable
from typing import Any

from schemas.envelope import push_headers
from schemas.settings import Settings
from tests.chaos.own_services import Services, audited, made_anew, until
from tests.pipeline import Database, Sent, cdr, now_us, produce, tccc
from tests.processes import running

SHUFFLE_SEED = 5


async def poison(services: Services, *, records: int) -> bool:
    """One record in a hundred is poison of ten kinds; the others are stored, at half the calm rate at least."""
    calm = await _timed(services.settings, [cdr(n, at_us=now_us()) for n in range(records)], bad=0)
    print(f"clean:  {calm:.0f} records/s")
    settings = await made_anew(services)
    database = Database(settings)
    await database.execute("ALTER TABLE tccc.call ADD CONSTRAINT mended_later CHECK (caller <> 'refused')")
    sent = _with_poison(records)
    poisoned = await _timed(settings, sent, bad=records // 100)
    outcomes = await database.outcomes()
    print(f"poison: {poisoned:.0f} records/s, {poisoned / calm:.2f} of it; ledger {outcomes}")
    listed = (await tccc(settings, "dead", "list", "--json")).result
    print("reasons:", _reasons(listed))
    await database.execute("ALTER TABLE tccc.call DROP CONSTRAINT mended_later")
    async with running("worker", settings) as worker:
        await until(worker.ready)
        replayed = await tccc(
            settings, "dead", "replay", "--reason", "refused-by-database", "--yes", "--json"
        )
        print("replay: ", replayed.out.strip())
        refused = records // 1000
        await until(lambda: database.has_settled(records + refused))
        again = await tccc(settings, "dead", "replay", "--reason", "refused-by-database", "--yes", "--json")
        print("again:  ", again.out.strip())
    settled = await database.outcomes()
    print("ledger: ", settled)
    expected = {"applied": records - records // 100 + refused, "dead": records // 100}
    return settled == expected and poisoned >= calm / 2 and await audited(settings)


KINDS: tuple[Callable[[str], Sent], ...] = (
    lambda s: (s, push_headers(b"cdr", b"1", s.encode(), now_us()), b"not json"),
    lambda s: (s, push_headers(b"cdr", b"1", s.encode(), now_us()), b""),
    lambda s: (s, push_headers(b"cdr", b"1", s.encode(), now_us()), b"[]"),
    lambda s: (s, push_headers(b"cdr", b"1", s.encode(), now_us()), b'{"a":NaN}'),
    lambda s: (s, push_headers(b"cdr", b"1", s.encode(), now_us()), b'{"a":"\xff"}'),
    lambda s: (
        s,
        push_headers(b"cdr", b"1", s.encode(), now_us()),
        b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
    ),
    lambda s: (s, push_headers(b"nonsense", b"1", s.encode(), now_us()), b"{}"),
    lambda s: (s, [("push-id", s.encode())], b"{}"),
    lambda s: (None, push_headers(b"cdr", b"1", s.encode(), now_us()), b"{}"),
    lambda s: (s, push_headers(b"cdr", b"1", s.encode(), now_us()), b'{"Caller":"refused"}'),
)


def _with_poison(records: int) -> list[Sent]:
    """Shuffled: of each hundred records one is poison, all kinds in turn."""
    sent = [cdr(n, at_us=now_us()) for n in range(records - records // 100)]
    sent += [KINDS[n % len(KINDS)](f"poison-{n}") for n in range(records // 100)]
    random.Random(SHUFFLE_SEED).shuffle(sent)
    return sent


async def _timed(settings: Settings, sent: list[Sent], *, bad: int) -> float:
    """Produce, then let one worker settle it all; returns records a second, from the first to the last."""
    await produce(settings, sent)
    database = Database(settings)
    async with running("worker", settings) as worker:
        await until(lambda: database.has_settled(1))
        first, began = await database.count("push"), time.monotonic()
        await until(lambda: database.has_settled(len(sent)), poll_s=0.02)
        took_s = time.monotonic() - began
        assert await worker.stop() == 0
    assert (await database.outcomes()).get("dead", 0) == bad
    return (len(sent) - first) / took_s


def _reasons(listed: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for letter in listed["letters"]:
        counts[letter["reason"]] = counts.get(letter["reason"], 0) + len(letter["letters"])
    return counts
