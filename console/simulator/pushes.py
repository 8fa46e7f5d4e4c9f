"""The pushes of a session: which there are, when the vendor makes them, and under which ids."""

from msgspec import Struct
from msgspec.json import encode

from console.simulator import bodies
from console.simulator.centre import Centre
from console.simulator.dice import Dice
from console.simulator.numbers import mask
from console.simulator.quirks import encode_oddly
from console.simulator.session import OUTBOUND, Action, Push, Truth

_VERSION = "1"
# How long after the thing itself, in seconds: recordings may well come before the call.
_CDR_AFTER_S = (1, 12)
_RECORD_AFTER_S = (3, 90)
_VOICEMAIL_AFTER_S = (1, 20)
_CORRECTED_AFTER_S = (60, 1800)

_REMARKS = ("客户要求回访", "已解决", "转二线处理，等待技术确认", "VIP customer", "投诉：配送延迟")


class Shares(Struct, frozen=True, kw_only=True):
    """Of all calls: those whose `cdr` is spelled oddly, and those that get a second, corrected one."""

    quirks: float
    corrections: float


class Writer:
    """Writes the pushes of one session after the other; chance of its own for each matter, so that a share
    changes only what it is about.
    """

    def __init__(self, centre: Centre, seed: int, shares: Shares) -> None:
        self._centre = centre
        self._shares = shares
        self._dice = Dice(seed, "pushes")
        self._quirks = Dice(seed, "quirks")
        self._corrections = Dice(seed, "corrections")

    def pushes(self, truth: Truth) -> tuple[Push, ...]:
        """Return a session's pushes in the order in which the vendor makes them."""
        if truth.is_chat:
            body = encode(bodies.imcdr(truth, self._centre))
            return (self._push("imcdr", truth, body, self._at(truth.ended_s, _CDR_AFTER_S)),)
        made = [self._cdr(truth), *self._records(truth)]
        if truth.voicemail_s:
            body = encode(bodies.voicemail(truth, self._centre))
            made.append(self._push("voicemail", truth, body, self._at(truth.voicemail_s, _VOICEMAIL_AFTER_S)))
        if self._corrections.chance(self._shares.corrections):
            made.append(self._correction(truth, after=made[0]))
        return tuple(sorted(made, key=_when))

    def _cdr(self, truth: Truth) -> Push:
        body = bodies.cdr(truth, self._centre, user_remark=self._remark(truth), uui=self._uui(truth))
        odd = self._quirks.chance(self._shares.quirks)
        encoded = encode_oddly(body, self._quirks) if odd else encode(body)
        return self._push("cdr", truth, encoded, self._at(truth.ended_s, _CDR_AFTER_S))

    def _records(self, truth: Truth) -> list[Push]:
        """Return one for the user's side, one for each agent's."""
        if not truth.record_id:
            return []
        sides = [(truth.record_id, truth.customer, truth.ended_s)]
        sides += [(leg.record_id, leg.agent.user_id, leg.ended_s) for leg in truth.legs if leg.record_id]
        return [self._record(truth, *side) for side in sides]

    def _record(self, truth: Truth, record_id: str, endpoint_user: str, ended_s: int) -> Push:
        at = self._at(ended_s, _RECORD_AFTER_S)
        body = bodies.record(
            truth, self._centre, record_id=record_id, endpoint_user=endpoint_user, at_s=int(at)
        )
        return self._push("record", truth, encode(body), at)

    def _correction(self, truth: Truth, *, after: Push) -> Push:
        dice = self._corrections
        body = encode(bodies.cdr(truth, self._centre, user_remark="更正", uui=""))
        at = after.at + dice.between(*_CORRECTED_AFTER_S)
        return Push("cdr", _VERSION, dice.uuid(), truth.session_id, body, at, correction=True)

    def _push(self, action: Action, truth: Truth, body: bytes, at: float) -> Push:
        version = "" if action == "voicemail" else _VERSION
        return Push(action, version, self._dice.uuid(), truth.session_id, body, at)

    def _at(self, after_s: int, delay_s: tuple[int, int]) -> float:
        return after_s + self._dice.between(*delay_s) + self._dice.random()

    def _remark(self, truth: Truth) -> str:
        drawn = self._dice.random()
        if drawn < 0.1:
            return self._dice.one_of(_REMARKS)
        return mask(truth.customer) if drawn < 0.15 else ""

    def _uui(self, truth: Truth) -> str:
        if truth.direction == OUTBOUND and self._dice.chance(0.5):
            return f"order={self._dice.digits(8)}"
        return ""


def _when(push: Push) -> float:
    return push.at
