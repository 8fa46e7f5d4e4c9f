"""How what the database refuses is taken apart."""

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import DatabaseAway
from tests.records import body, item
from worker.database import translated
from worker.store import PARTS, _around, in_parts


@given(things=st.lists(st.integers(), min_size=2, max_size=60))
def test_parts_are_smaller_and_hold_all_in_order(things: list[int]) -> None:
    parts = in_parts(things)
    assert len(parts) <= PARTS
    assert all(0 < len(part) < len(things) for part in parts)
    assert [one for part in parts for one in part] == things


@given(sessions=st.sets(st.sampled_from("abcdefgh"), min_size=1), suspect=st.sampled_from("abcx"))
def test_a_suspect_session_is_parted_from_the_others(sessions: set[str], suspect: str) -> None:
    groups = [[item(body(), key=session)] for session in sorted(sessions)]
    parts = _around(groups, suspect)
    if suspect not in sessions or len(sessions) == 1:
        assert parts == []
    else:
        assert [group for part in parts for group in part] == groups
        assert [group[0].session_id for group in parts[1]] == [suspect]


def test_a_connection_that_is_cut_as_a_statement_begins_is_an_outage() -> None:
    with pytest.raises(DatabaseAway), translated():
        raise asyncpg.InternalClientError("cannot switch to another state")
