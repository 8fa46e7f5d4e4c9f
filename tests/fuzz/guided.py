"""Coverage-guided fuzzing of decode and normalise with atheris, where there is a wheel of it (requirements/fuzz.txt).

The first byte of an input chooses the action; the rest is the body, mutated by its structure or by its bytes.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["schemas", "receiver", "worker"]):
    from tests.fuzz import laws

from tests.fuzz.counting import OTHERWISE, Tally, shown
from tests.fuzz.inputs import Request
from tests.fuzz.mutation import SAMPLES, Mutator
from tests.records import record

ACTIONS = tuple(SAMPLES)
MAX_BYTES = 64 * 1024
_decoded, _normalised = Tally("decode"), Tally("normalise")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    corpus = Path(tempfile.mkdtemp(prefix="tccc-fuzz-"))
    for number, action in enumerate(ACTIONS):
        for at, body in enumerate(SAMPLES[action]):
            (corpus / f"{action}-{at}").write_bytes(bytes([number]) + body)
    options = ["-runs=-1", f"-seed={arguments.seed}", f"-max_len={MAX_BYTES}", "-verbosity=0"]

    def once(data: bytes) -> None:
        _one_input(data)
        if _decoded.ends.total() >= arguments.count:  # libFuzzer ends the process; nothing after Fuzz() runs
            print(shown([_decoded, _normalised]), flush=True)
            os._exit(1 if _decoded.ends[OTHERWISE] or _normalised.ends[OTHERWISE] else 0)

    atheris.Setup([sys.argv[0], *options, str(corpus)], once, custom_mutator=_mutate)
    atheris.Fuzz()


def _one_input(data: bytes) -> None:
    if not data:
        return
    action, body = ACTIONS[data[0] % len(ACTIONS)], data[1:]
    number = _decoded.ends.total()
    try:
        _decoded.note(*laws.decode(Request(f"/?action={action}&version=1", None, body)))
    except Exception as exc:
        _decoded.broke(number, exc, data)
    try:
        _normalised.note(*laws.normalised(record(body, action=action))[:2])
    except Exception as exc:
        _normalised.broke(number, exc, data)


def _mutate(data: bytes, max_size: int, seed: int) -> bytes:
    random = Random(seed)
    if random.random() < 0.5:
        return bytes(atheris.Mutate(data, max_size))
    return (data[:1] + Mutator(random).changed(data[1:]))[:max_size]


if __name__ == "__main__":
    main()
