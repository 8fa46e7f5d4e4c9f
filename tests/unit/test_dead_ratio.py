"""When a worker has to pause for the share of records that it would give up."""

import pytest

from worker.dead_ratio import LEAST_DEAD, WINDOW_RECORDS, DeadRatio, TooManyDead


def test_a_few_dead_records_are_no_fault_however_large_their_share() -> None:
    DeadRatio(0.5).check(LEAST_DEAD - 1, LEAST_DEAD - 1)


def test_many_dead_records_are_no_fault_while_their_share_is_small() -> None:
    ratio = DeadRatio(0.5)
    for _ in range(100):
        ratio.check(2000, 1000)
        ratio.note(2000, 1000)


def test_a_batch_that_would_exceed_the_limit_is_not_given_up() -> None:
    ratio = DeadRatio(0.5)
    ratio.note(1000, 0)
    with pytest.raises(TooManyDead, match="58%"):
        ratio.check(1400, 1400)
    ratio.check(1400, 0)  # what is sound is settled all the same


def test_one_by_one_counts_as_well() -> None:
    ratio = DeadRatio(0.5)
    for _ in range(LEAST_DEAD - 1):
        ratio.check(1, 1)
        ratio.note(1, 1)
    with pytest.raises(TooManyDead):
        ratio.check(1, 1)


def test_what_was_long_ago_does_not_count() -> None:
    ratio = DeadRatio(0.5)
    ratio.note(100_000, 0)
    for _ in range(WINDOW_RECORDS // 100):
        ratio.note(100, 0)
    with pytest.raises(TooManyDead):
        ratio.check(3 * WINDOW_RECORDS, 3 * WINDOW_RECORDS)


def test_a_ratio_of_one_never_pauses() -> None:
    DeadRatio(1.0).check(100_000, 100_000)
