"""Checks letters anew before they are published again: the door's rules, and what is sure to die once more."""

from urllib.parse import urlencode

from msgspec import Struct

from console.dead.letter import Letter
from receiver.admission import Refused, admit, route
from schemas.envelope import Headers, Record
from schemas.errors import RecordError
from schemas.settings import Settings
from worker.normalise import normalise, read_session_id

# Which of two actions or versions was meant is not in the letter, so that the door's fault cannot be mended.
_REPEATED = "is repeated"


class StillBad(Struct, frozen=True):
    """Why a letter is not published."""

    reason: str
    detail: str


class Recheck:
    """By this program's rules and the settings that it runs with."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.kafka_topic
        self._sdk_app_ids = frozenset(settings.sdk_app_ids)

    def record(self, letter: Letter, replays: int, *, again: bool) -> Record | StillBad:
        """The record to publish. `again` publishes also what is sure to die as it did the last time."""
        headers = letter.replayed_headers(replays)
        if letter.stage == "receive":
            return self._admitted(letter, headers)
        if letter.replays and letter.stage == "normalise" and not again and (fault := _fault(letter)):
            return StillBad(fault.reason, f"it was replayed before, and {fault.detail}")
        return Record(topic=self._topic, key=letter.key, value=letter.value, headers=headers)

    def _admitted(self, letter: Letter, headers: Headers) -> Record | StillBad:
        if letter.reason == "bad-action" and letter.detail.endswith(_REPEATED):
            return StillBad(letter.reason, letter.detail)
        version = dict(headers).get("version", b"").decode(errors="replace")
        query = {name: text for name, text in (("action", letter.action), ("version", version)) if text}
        decision = admit(route(f"/?{urlencode(query)}"), letter.value, self._sdk_app_ids)
        if isinstance(decision, Refused):
            return StillBad(decision.reason or "forbidden", decision.detail or "SdkAppId may not push here")
        if decision.repaired is not None:
            headers = [*headers, ("repaired", decision.repaired)]
        return Record(topic=self._topic, key=decision.key, value=decision.value, headers=headers)


def _fault(letter: Letter) -> RecordError | None:
    try:
        normalise(letter.action, read_session_id(letter.key), letter.value)
    except RecordError as exc:
        return exc
    return None
