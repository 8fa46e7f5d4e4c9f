from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from schemas.rows import Outcome
from worker.fold import MAX_EARLIER, Push, RowState

A = Push("u1", 10, "push")
B = Push("u2", 20, "push")


def fold(*pushes: Push, state: RowState | None = None) -> tuple[RowState, list[Outcome]]:
    state = state or RowState.absent()
    return state, [state.apply(push) for push in pushes]


def test_a_retry_after_a_newer_push_changes_nothing() -> None:
    state, outcomes = fold(A, B, Push("u1", 30, "push"))
    assert (state.provenance().push_id, outcomes) == ("u2", ["applied", "applied", "duplicate"])


def test_the_older_push_consumed_last_is_stale() -> None:
    state, outcomes = fold(B, A)
    assert (state.provenance().push_id, outcomes) == ("u2", ["applied", "stale"])
    assert state.provenance().earlier_push_ids == ["u1"]


def test_the_retry_of_a_stale_push_is_a_duplicate() -> None:
    _, outcomes = fold(B, A, Push("u1", 40, "push"))
    assert outcomes == ["applied", "stale", "duplicate"]


def test_a_pushed_row_beats_any_row_from_the_api() -> None:
    api = Push("api:1", 99, "api")
    assert fold(api, A)[0].provenance().push_id == "u1"
    assert fold(A, api)[1] == ["applied", "stale"]


def test_equal_times_are_decided_by_the_push_id() -> None:
    same = Push("u9", 10, "push")
    assert {fold(*order)[0].provenance().push_id for order in permutations([A, same])} == {"u9"}


def test_memory_is_the_newest_32() -> None:
    state, _ = fold(*[Push(f"u{n}", n, "push") for n in range(40)])
    earlier = state.provenance().earlier_push_ids
    assert earlier == [f"u{n}" for n in range(39 - MAX_EARLIER, 39)]
    assert RowState.read(state.provenance()).may_have_forgotten


pushes = st.lists(
    st.builds(
        Push,
        st.sampled_from([f"u{n}" for n in range(8)]),
        st.integers(0, 5),
        st.sampled_from(["push", "api"]),
    ),
    min_size=1,
    max_size=12,
)


@given(pushes=pushes, data=st.data())
def test_neither_order_nor_repetition_nor_batches_matter(pushes: list[Push], data: st.DataObject) -> None:
    """As long as the first consumed record of a push carries its earliest received-at."""
    dated: dict[str, Push] = {}
    for push in pushes:
        dated.setdefault(push.push_id, push)
    once = list(dated.values())
    expected = fold(*once)[0].provenance()

    order = data.draw(st.permutations(once))
    state = RowState.absent()
    for push in order:
        state.apply(push)
        if data.draw(st.booleans()):  # a batch ends here: the row is written and read again
            state = RowState.read(state.provenance())
        retried = data.draw(st.sampled_from(order[: order.index(push) + 1]))
        before = state.provenance()
        assert state.apply(Push(retried.push_id, 99, retried.source)) == "duplicate"
        assert state.provenance() == before
    assert state.provenance() == expected
