"""What is done with a whole push: admitted, it becomes a record and is taken; refused, it is kept or not."""

from receiver import answers
from receiver.admission import Admitted, Refused, admit, push_id_of
from receiver.allowance import Allowance
from receiver.answers import Reply
from receiver.clock import ReceiveClock
from receiver.dead_letters import refused_letter
from receiver.intake import Intake, Taken
from receiver.metrics import ReceiverMetrics
from receiver.server import Push
from schemas.envelope import Record, push_headers
from schemas.errors import DependencyAway
from schemas.settings import Settings

_REPLIES = {
    Taken.PUBLISHED: answers.TAKEN,
    Taken.SPOOLED: answers.SPOOLED,
    Taken.DEAD: answers.DEAD,
}


class PushTaker:
    """Called by the server with each push; returns only when its answer is true."""

    def __init__(
        self, settings: Settings, intake: Intake, clock: ReceiveClock, metrics: ReceiverMetrics
    ) -> None:
        self._topic = settings.kafka_topic
        self._dead_topic = settings.kafka_dead_topic
        self._sdk_app_ids = frozenset(settings.sdk_app_ids)
        self._max_json_depth = settings.max_json_depth
        self._allowances = {
            "dead_per_minute": Allowance(settings.dead_per_minute),
            "dead_bytes_per_minute": Allowance(settings.dead_bytes_per_minute),
        }
        self._intake = intake
        self._clock = clock
        self._metrics = metrics

    async def __call__(self, push: Push) -> Reply:
        received_at_us = self._clock.now_us()
        decision = admit(push.target, push.body, self._sdk_app_ids, self._max_json_depth)
        try:
            if isinstance(decision, Refused):
                return await self._refuse(push, decision, received_at_us)
            return _REPLIES[await self._intake.take(self._record(push, decision, received_at_us))]
        except DependencyAway:
            return answers.UNAVAILABLE

    def _record(self, push: Push, admitted: Admitted, received_at_us: int) -> Record:
        target = push.target
        push_id = push_id_of(push.push_id, target.action, push.body)
        headers = push_headers(target.action.encode(), target.version.encode(), push_id, received_at_us)
        if admitted.repaired is not None:
            headers.append(("repaired", admitted.repaired))
        return Record(topic=self._topic, key=admitted.key, value=admitted.value, headers=headers)

    async def _refuse(self, push: Push, refused: Refused, received_at_us: int) -> Reply:
        if refused.reason is None or not self._may_keep(push.body):
            return refused.reply
        push_id = push_id_of(push.push_id, push.target.action, push.body)
        letter = refused_letter(
            self._dead_topic, refused, push.target, push.body, push_id=push_id, at_us=received_at_us
        )
        await self._intake.take(letter)
        self._metrics.dead_letter(refused.reason)
        return refused.reply

    def _may_keep(self, body: bytes) -> bool:
        for (limit, allowance), amount in zip(self._allowances.items(), (1, len(body)), strict=True):
            if not allowance.take(amount):
                self._metrics.limit_hit(limit)
                return False
        return True
