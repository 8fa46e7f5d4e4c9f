"""Bodies from files, as pushes: what the body does not say of itself is guessed, and the bytes stay as they are.

A body is looked at, not parsed: files that are not JSON are there to be sent too.
"""

import re
import sys
from pathlib import Path
from uuid import uuid4

from console.simulator.session import Action, Push

STANDARD_INPUT = "-"

_SESSION_ID = re.compile(rb'"SessionId"\s*:\s*"([^"\\]*)"')
# The first action of which a field is there; those of a `cdr` come first, since it may hold the others' too.
_TELLING_FIELDS: tuple[tuple[Action, re.Pattern[bytes]], ...] = (
    ("cdr", re.compile(rb'"(Caller|Callee|Direction|ServeParticipants|CallType)"\s*:')),
    ("imcdr", re.compile(rb'"(ClientData|UserNickName|Satisfaction|QueuedTimestamp)"\s*:')),
    ("record", re.compile(rb'"(RecordId|CustomRecordURL)"\s*:')),
    ("voicemail", re.compile(rb'"RecordURL"\s*:')),
)


def read_push(name: str, action: Action | None, push_id: str) -> Push:
    """Read a file, or standard input for `-`. LookupError if no action is given and none can be guessed."""
    body = sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()
    action = action or guess_action(body)
    if action is None:
        raise LookupError(name)
    found = _SESSION_ID.search(body)
    session_id = found[1].decode(errors="replace") if found else ""
    version = "" if action == "voicemail" else "1"
    return Push(action, version, push_id or str(uuid4()), session_id, body, at=0.0)


def guess_action(body: bytes) -> Action | None:
    """Tell a body's action by its fields' names."""
    for action, field in _TELLING_FIELDS:
        if field.search(body):
            return action
    return None
