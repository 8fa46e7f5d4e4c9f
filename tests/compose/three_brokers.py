"""docker-compose.yml with the profile `cluster`: with any broker stopped, no push is refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.accounting import assert_nothing_is_lost
from tests.compose.stack import Stack, say, taken, wait_until


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    stack = Stack("tccc-check", "cluster")
    try:
        stack.compose("build")
        stack.up("receiver=2", "worker=2")
        yield stack
    finally:
        stack.close()


def test_topics_have_three_replicas_of_which_two_must_be_in_step(stack: Stack) -> None:
    told = stack.compose("logs", "--no-log-prefix", "topics-cluster")
    say("\n" + told)
    describe = (
        "/opt/kafka/bin/kafka-topics.sh",
        "--bootstrap-server",
        "kafka:9092",
        "--describe",
        "--topic",
        "tccc.push",
    )
    (first, *_) = stack.compose("exec", "-T", "kafka-1", *describe).splitlines()
    assert "ReplicationFactor: 3" in first
    assert "min.insync.replicas=2" in first


@pytest.mark.parametrize("broker", ["kafka-1", "kafka-2", "kafka-3"])
def test_no_push_is_refused_while_a_broker_is_stopped(stack: Stack, tmp_path: Path, broker: str) -> None:
    output = tmp_path / "tries"
    sender = stack.send(output, count=4000, rate=150, seed=int(broker[-1]))
    wait_until(lambda: output.exists() and len(taken(output)) > 500, "pushes under way")
    if broker == "kafka-1":
        stack.kill(stack.containers(broker)[0])
    else:
        stack.compose("stop", broker)
    assert not stack.containers(broker)
    summary = json.loads(sender.communicate()[0])
    say(
        f"\n  without {broker}:",
        {name: summary[name] for name in ("sent", "taken", "not_taken", "retried", "refusals")},
    )
    assert (summary["not_taken"], summary["refusals"]) == (0, {})
    assert_nothing_is_lost(stack, output)  # while it is still away: workers go on, too
    stack.compose("up", "--wait", broker)
