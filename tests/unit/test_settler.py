"""How a batch that the database refuses is taken apart."""

from hypothesis import given
from hypothesis import strategies as st

from tests.records import body, item
from worker.settler import PARTS, _parts


@given(sessions=st.lists(st.sampled_from("abcd"), min_size=2, max_size=60), suspect=st.sampled_from("abcx"))
def test_parts_are_smaller_hold_all_and_keep_the_order_of_each_session(
    sessions: list[str], suspect: str
) -> None:
    items = [item(body(), key=session, offset=n) for n, session in enumerate(sessions)]
    parts = _parts(items, suspect)
    stored = [one for part in parts for one in part]
    assert len(parts) <= PARTS + 1
    assert all(0 < len(part) < len(items) for part in parts)
    for session in set(sessions):
        assert [one for one in stored if one.session_id == session] == [
            one for one in items if one.session_id == session
        ]
    if 0 < sessions.count(suspect) < len(sessions):
        assert {one.session_id for one in parts[0]} == {suspect}
