"""Fuzzing in short: each law on inputs that Hypothesis chooses, and so also shrinks."""

from collections.abc import AsyncIterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.settings import Settings
from tests.fuzz import laws, wire
from tests.fuzz.counting import OTHERWISE, Tally, shown
from tests.fuzz.inputs import Inputs, Request
from tests.fuzz.storing import Store, own_store
from tests.processes import Role
from worker.batch import take
from worker.stored import Stored
from worker.writing import Share

# Hypothesis makes every choice of a mutation, so that it can undo those which do not matter.
inputs = st.randoms(use_true_random=False).map(Inputs)
seeded = st.integers(min_value=0, max_value=2**32).map(Random).map(Inputs)
ENDS = {laws.STORED, laws.DEAD, laws.REFUSED}
_relaxed = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(_relaxed, max_examples=300)
@given(inputs)
def test_what_the_receiver_decides(source: Inputs) -> None:
    assert laws.decode(source.request())[0] in ENDS


@settings(_relaxed, max_examples=200)
@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_what_the_receiver_decides_on_any_bytes(body: bytes) -> None:
    assert laws.decode(Request("/?action=cdr&version=1", None, body))[0] in ENDS


@settings(_relaxed, max_examples=300)
@given(inputs)
def test_what_the_worker_makes_of_a_record(source: Inputs) -> None:
    assert laws.normalised(source.record(0))[0] in ENDS


def test_a_dead_record_keeps_no_frames_alive() -> None:
    """They would hold the batch that it came with, for ever: the collector does not look into Items."""
    share = Share(Stored({}, set()))
    taken = [take(Inputs(Random(seed)).record(seed)) for seed in range(200)]
    for item in taken:
        if item.fault is None:
            share.fold([item])
    faults = [item.fault for item in (*taken, *share.dead) if item.fault is not None]
    assert len({fault.reason for fault in faults}) > 1
    for fault in faults:
        assert (fault.__traceback__, fault.__context__, fault.__cause__) == (None, None, None)


@pytest.fixture(scope="module")
async def store(postgres_url: str) -> AsyncIterator[Store]:
    async with own_store(postgres_url) as opened:
        yield opened


@settings(_relaxed, max_examples=8, database=None)
@given(seeded)
async def test_what_the_database_takes(store: Store, source: Inputs) -> None:
    records = [source.record(store.next_offset + n) for n in range(250)]
    assert {end for end, _ in await store.settle(records)} <= ENDS


@pytest.fixture(scope="module")
async def receiver(
    kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Role, int]]:
    made = Settings(kafka_bootstrap=kafka_bootstrap, spool_dir=str(tmp_path_factory.mktemp("spool")))
    async with wire.receiver(made) as running:
        yield running


@settings(_relaxed, max_examples=6, database=None)
@given(seeded)
async def test_how_requests_are_answered(receiver: tuple[Role, int], source: Inputs) -> None:
    role, port = receiver
    for end, _ in await wire.exchange_all(port, [source.wire() for _ in range(40)]):
        assert end in ENDS
    assert "request_failed" not in str(role.log)


def test_what_breaks_a_law_is_shown() -> None:
    tally = Tally("decode")
    tally.note(laws.STORED, "", 3)
    tally.broke(7, AssertionError("lost: x"), b"{}")
    assert tally.ends == {laws.STORED: 3, OTHERWISE: 1}
    assert "decode 7: AssertionError: lost: x\nb'{}'" in shown([tally])


@pytest.mark.parametrize("name", ["_keep", "_nest"])
def test_a_program_that_loses_values_is_caught(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The laws themselves: a defect that is put in does break one."""
    monkeypatch.setattr(f"schemas.lenient.{name}", lambda *_: None)
    source = Inputs(Random(1))
    assert any(_breaks_a_law(source, number) for number in range(6000))


def _breaks_a_law(source: Inputs, number: int) -> bool:
    try:
        laws.normalised(source.record(number))
    except Exception:
        return True
    return False
