"""What an operator may do to it: dead letters replayed twice, the first time killed half-way."""

import asyncio
import json
import sys
from typing import Any

from runtime.topics import wanted_topics
from tests.chaos.fault import Scene, fault
from tests.chaos.faults_brokers import SMALL_RECORD_BYTES, configure_topic, more
from tests.chaos.processes import ROOT
from tests.chaos.waiting import until
from tests.processes import environment

LETTERS, LETTERS_TIMEOUT_S = 60, 20.0
REPLAY_TIMEOUT_S = 60.0
_REPLAYED = "SELECT count(*) FROM tccc.dead_state"


@fault("dead-letters-replayed", hold_s=(1, 2))
async def dead_letters_replayed(scene: Scene) -> int:
    """Pushes that were too large for a while; killed half-way, replayed, and replayed again, which must do nothing."""
    await _make_letters(scene)
    before = await scene.stack.fetch_value(_REPLAYED)
    killed = await _start_replay(scene, "--rate", "20")
    half_way = await until(lambda: _more_replayed(scene, before), timeout_s=LETTERS_TIMEOUT_S)
    half_way = half_way and killed.returncode is None
    if killed.returncode is None:
        killed.kill()
    await killed.communicate()
    first, second = await _replay(scene), await _replay(scene)
    if second["replayed"]:
        raise AssertionError(f"a second replay published {second['replayed']} letters again")
    return int(first["replayed"]) if half_way else 0


async def _make_letters(scene: Scene) -> None:
    settings = scene.stack.direct
    topic = wanted_topics(settings)[0]
    enough = await scene.answers("dead") + LETTERS
    try:
        await configure_topic(settings, topic.topic_configs | {"max.message.bytes": str(SMALL_RECORD_BYTES)})
        await until(lambda: more(scene, "dead", enough), timeout_s=LETTERS_TIMEOUT_S)
    finally:
        await configure_topic(settings, topic.topic_configs)
    await scene.hold()


async def _replay(scene: Scene) -> dict[str, Any]:
    process = await _start_replay(scene)
    async with asyncio.timeout(REPLAY_TIMEOUT_S):
        output, errors = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"tccc dead replay ended with {process.returncode}: {errors.decode()}")
    tally: dict[str, Any] = json.loads(output)
    return tally


async def _start_replay(scene: Scene, *arguments: str) -> asyncio.subprocess.Process:
    command = ("-m", "console", "dead", "replay", "--reason", "too-large", "--yes", "--json", *arguments)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        env=environment(scene.stack.direct) | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _more_replayed(scene: Scene, than: int) -> bool:
    return int(await scene.stack.fetch_value(_REPLAYED) or 0) > than
