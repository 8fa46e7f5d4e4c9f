"""Bad input of every kind, through real sockets, to a running receiver and worker: the table holds."""

import pytest
from msgspec.structs import replace

from schemas.settings import Settings
from tests.hostile.case import REFUSED, Produced
from tests.hostile.report import summary, table
from tests.hostile.running import MEMORY_BOUND_MIB, run
from tests.hostile.tables import ALL


@pytest.mark.timeout(300)
async def test_the_table_of_bad_input(settings: Settings) -> None:
    ran = await run(ALL, settings)
    assert f"{len(ALL)} cases" in summary(ran)
    assert [verdict.differences for verdict in ran.differing] == [], table(ran)
    assert ran.defects == []
    assert {name: after for name, (_, after) in ran.memory_mib.items() if after > MEMORY_BOUND_MIB} == {}


def test_the_table_names_each_case_once_and_says_what_it_expects() -> None:
    assert len(ALL) >= 120
    assert len({(case.group, case.name) for case in ALL}) == len(ALL)
    for case in ALL:
        assert case.columns == {} or "stored" in case.ends
        assert bool(case.answer) != isinstance(case.sent, Produced)
        assert case.ends == REFUSED or not case.answer.startswith(
            ("401", "403", "404", "405", "408", "413", "415")
        )


async def test_a_wrong_expectation_is_noticed(settings: Settings) -> None:
    """The comparison itself: what is said of a case is not just repeated."""
    names = {"no query", "Caller", "with a length", "no key", "5,000 of them"}
    some = [case for case in ALL if case.name in names and case.group != "SessionId"]
    wrong = [replace(case, answer=case.answer and "200 0 closed", ends="stale", columns={}) for case in some]
    ran = await run(wrong, settings)
    assert len(ran.differing) == len(wrong) == len(names)
