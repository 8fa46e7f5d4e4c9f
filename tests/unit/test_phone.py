"""All spellings of a number are one, and no other number is."""

import re

import pytest

from console.erase.subject import Search, Subject
from schemas.errors import OperatorError
from schemas.phone import as_text, numbers_in, one_form, pattern, read_number

SPELLINGS = (
    "13800138000", "+8613800138000", "008613800138000", "8613800138000", "013800138000", "+86 138-0013-8000",
    "0086 138 0013 8000", "(138) 0013 8000", "+86 (0) 138.0013.8000",
)  # fmt: skip
OTHERS = ("113800138000", "138001380001", "008613800138001", "1380013800", "+44 13800138000", "138****8000")


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_every_spelling_has_one_form_and_is_found_in_a_text(spelled: str) -> None:
    assert one_form(spelled) == "13800138000"
    found = re.compile(pattern("13800138000"))
    for text in (spelled, f"call {spelled}, please", f'{{"a":"{spelled}"}}', f"x={spelled}&y"):
        assert found.search(text)
        assert "13800138000" in set(numbers_in(text))


@pytest.mark.parametrize("other", OTHERS)
def test_no_other_number_is_taken_for_it(other: str) -> None:
    assert one_form(other) != "13800138000"
    if not other.startswith("+44"):  # in a text, what stands before a number may be anything
        assert not re.search(pattern("13800138000"), other)


def test_numbers_of_other_countries_keep_their_code() -> None:
    assert {one_form(text) for text in ("+44 20 7946 0958", "00442079460958", "442079460958")} == {
        "442079460958"
    }
    assert one_form("0755 8288 1234") == one_form("+86 755 82881234") == "75582881234"
    assert one_form("10086") == one_form("008610086") == "10086"


def test_a_bare_number_and_escaped_digits_are_found() -> None:
    body = rb'{"EndpointUser":8613800138000,"Uui":"\u0031380013800\u0031"}'
    assert set(numbers_in(as_text(body))) == {"13800138000", "13800138001"}


@pytest.mark.parametrize(
    "field", ["SdkAppId", "SkillGroupId", "QueuedSkillGroupId", "StartTimestamp", "Timestamp", "IVRDuration"]
)
def test_an_integer_that_is_of_no_person_is_no_number(field: str) -> None:
    search = Search(Subject("number", "12345"))
    for body in (f'{{"{field}":12345}}', f'{{"Caller":"1", "A":[{{"{field}" : 12345 }}]}}'):
        assert not search.says(b"s", body.encode())
        assert not set(numbers_in(as_text(body.encode())))


@pytest.mark.parametrize(
    "body",
    [
        b'{"Caller":"12345","SkillGroupId":12345}',
        b'{"SkillGroupId":12345,"Callee":12345}',
        b'{"SkillGroupId":"12345"}',
        rb'{"Uui":"{\"SkillGroupId\":12345}"}',
        rb'{"Uui":"{\u0022SkillGroupId\u0022:12345}"}',
        b"not json 12345",
    ],
)
def test_a_number_is_found_beside_integers_and_in_strings(body: bytes) -> None:
    assert Search(Subject("number", "12345")).says(b"s", body)
    assert "12345" in set(numbers_in(as_text(body)))


@pytest.mark.parametrize("text", ["", "Li Si", "1234", "138****8000", "0" * 12, "1" * 30])
def test_what_is_no_number_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(OperatorError) as refused:
        read_number(text)
    assert not text or text not in str(refused.value)
