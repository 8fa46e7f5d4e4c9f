"""What every part of a run needs: its options, the services, the load generator, the programs that were built."""

from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.bench.bodies import write_bodies
from tests.bench.load import Generator, authorization, build_go, generator_command
from tests.bench.rounds import Rounds
from tests.bench.services import BASIC_PASSWORD, BASIC_USER, Services

_BODIES = 5000


class Options(Struct, frozen=True, kw_only=True):
    """How much is measured; the defaults make a whole run of at most 20 minutes on a calm machine."""

    rounds: int = 5
    repeats: int = 10  # of measurements that others disturbed, in each part
    records: int = 60_000  # that a worker finds waiting
    sustain_s: float = 300.0
    bases: tuple[int, ...] = (0, 1_000_000, 5_000_000)
    bodies: int = _BODIES


class Run(Struct):
    options: Options
    services: Services
    generator: Generator
    programs: Path | None  # the Go programs, if there is Go
    receiver_settings: dict[str, Any]  # every feature that is not on by itself

    @property
    def generator_name(self) -> str:
        return "Python" if self.programs is None else "Go"

    def rounds(self, part: str, rounds: int | None = None, repeats: int | None = None) -> Rounds:
        options = self.options
        return Rounds(
            part,
            options.rounds if rounds is None else rounds,
            options.repeats if repeats is None else repeats,
        )


async def prepare(options: Options, services: Services) -> Run:
    """Make the bodies, build what can be built."""
    file = services.home / "bodies.ndjson"
    write_bodies(file, options.bodies)
    programs = await build_go(services.home / "go")
    header = authorization(BASIC_USER, BASIC_PASSWORD)
    return Run(
        options=options,
        services=services,
        generator=Generator(generator_command(programs), file, header),
        programs=programs,
        receiver_settings={"auth": "basic", "basic_user": BASIC_USER, "basic_password": BASIC_PASSWORD},
    )
