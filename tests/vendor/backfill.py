"""`python -m tests.vendor.backfill`: history from the API into an empty database: rate, memory, and a kill on the way."""

import asyncio
import time

import click
import psutil
from msgspec import Struct, field

from console.fake_vendor.store import Store
from console.times import iso
from tests.pipeline import Database
from tests.vendor.centre import recent_sessions
from tests.vendor.stage import PAGE_SIZE, Stage, own_services, run

_MIB = 2**20


class Memory(Struct):
    """Resident memory over time, in MiB, of the filling process and of the worker; printed every so often."""

    stage: Stage
    filling: list[float] = field(default_factory=list)
    worker: list[float] = field(default_factory=list)

    def note(self, process: psutil.Process) -> None:
        self.filling.append(process.memory_info().rss / _MIB)
        self.worker.append(psutil.Process(self.stage.worker_pid).memory_info().rss / _MIB)
        if len(self.filling) % 30 == 0:
            print(
                f"{len(self.filling):5} s  {self.stage.fake.faults.requests * PAGE_SIZE:>9} asked for  "
                f"tccc backfill {self.filling[-1]:.0f} MiB  worker {self.worker[-1]:.0f} MiB",
                flush=True,
            )


async def prove(stage: Stage, *, kill_at: float) -> None:
    """Raise AssertionError if a session is missing in the end, or if it began anew after the kill."""
    store, memory = stage.fake.store, Memory(stage)
    count = len(store.session_ids)
    span = (iso(store.first_s * 1_000_000), iso((store.last_s + 1) * 1_000_000))
    words = ("backfill", "--from", str(span[0]), "--to", str(span[1]), "--json")
    began = time.monotonic()
    killed = await run(stage, *words, kill_after=max(1, int(count / PAGE_SIZE * kill_at)), watch=memory.note)
    assert killed.status == -9, killed.err
    print(f"killed (SIGKILL) after {killed.requests} requests", flush=True)
    filled = await run(stage, *words, watch=memory.note)
    elapsed_s = time.monotonic() - began
    assert filled.status == 0, filled.err
    rows = await Database(stage.settings).count("call")
    assert (rows, filled.json["missing"], filled.json["repaired"]) == (count, count, count)
    assert filled.json["complete_until"] == span[1]
    resumed = 1 - filled.requests * PAGE_SIZE / count
    print(f"resumed: {filled.requests} requests more (at least {resumed:.0%} not asked for again)")
    print(f"{count} sessions in {elapsed_s:.0f} s: {count / elapsed_s:.0f}/s, complete until {span[1]}")
    _print_memory("tccc backfill", memory.filling)
    _print_memory("worker", memory.worker)


def _print_memory(name: str, samples: list[float]) -> None:
    """By quarters of the time: flat is what does not grow from the second on."""
    size = max(1, len(samples) // 4)
    quarters = [max(samples[n : n + size]) for n in range(0, len(samples), size)][:4]
    print(f"{name}, most MiB in each quarter: {', '.join(f'{most:.0f}' for most in quarters)}")


async def _main(count: int, days: int, kill_at: float, seed: int) -> None:
    began = time.monotonic()
    with Store() as store:
        # Weekends have fewer sessions, and chats are not calls: a few more are simulated than are wanted.
        for session in recent_sessions(
            None, seed=seed, sessions_a_day=count * 5 // 4 // days, days_ago=days + 2
        ):
            store.add(session)
            if len(store.session_ids) == count:
                break
        print(f"the API knows {count} sessions (made in {time.monotonic() - began:.0f} s)", flush=True)
        async with own_services(store) as stage:
            await prove(stage, kill_at=kill_at)


@click.command()
@click.option("--count", default=1_000_000, show_default=True)
@click.option("--days", default=150, show_default=True, help="About how many days they are spread over.")
@click.option(
    "--kill-at", default=0.4, show_default=True, help="Share of all pages after which it is killed."
)
@click.option("--seed", default=1, show_default=True)
def main(count: int, days: int, kill_at: float, seed: int) -> None:
    """Prove filling in at full size."""
    asyncio.run(_main(count, days, kill_at, seed))
    print("proved")


if __name__ == "__main__":
    main()
