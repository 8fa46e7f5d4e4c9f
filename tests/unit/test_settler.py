"""How what the database refuses is taken apart."""

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import DatabaseAway
from worker.database import translated
from worker.fold import RowState
from worker.store import PARTS, RowChange, _around, in_parts


@given(things=st.lists(st.integers(), min_size=2, max_size=60))
def test_parts_are_smaller_and_hold_all_in_order(things: list[int]) -> None:
    parts = in_parts(things)
    assert len(parts) <= PARTS
    assert all(0 < len(part) < len(things) for part in parts)
    assert [one for part in parts for one in part] == things


@given(sessions=st.lists(st.sampled_from("abcd"), min_size=2, max_size=60), suspect=st.sampled_from("abcx"))
def test_a_suspect_session_is_parted_from_the_others(sessions: list[str], suspect: str) -> None:
    changed = [RowChange((session,), RowState.absent(), None) for session in sorted(sessions)]
    parts = _around(changed, suspect)
    if not 0 < sessions.count(suspect) < len(sessions):
        assert parts == []
    else:
        assert [change for part in parts for change in part] == changed
        assert {change.key[0] for change in parts[1]} == {suspect}
        assert len(parts[1]) == sessions.count(suspect)


def test_a_connection_that_is_cut_as_a_statement_begins_is_an_outage() -> None:
    with pytest.raises(DatabaseAway), translated():
        raise asyncpg.InternalClientError("cannot switch to another state")
