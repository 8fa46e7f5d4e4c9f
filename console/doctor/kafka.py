"""Kafka's health: its addresses, its brokers, and topics that can be written."""

import asyncio
import socket

from aiokafka.admin import NewTopic

from console.doctor.finding import Finding, fail, ok, warn
from console.topics import compare
from console.visits.brokers import DEADLINE_S, Brokers, Partition, Topic, visiting
from runtime.topics import wanted_topics
from schemas.errors import BrokerAway
from schemas.settings import Settings

_DEFAULT_PORT = 9092


async def examine(settings: Settings) -> list[Finding]:
    """From the outside in: what lies behind a thing that is broken is not looked at."""
    doors = await asyncio.gather(
        *[_knock(address.strip()) for address in settings.kafka_bootstrap.split(",")]
    )
    if all(door.state != "ok" for door in doors):
        return list(doors)
    try:
        async with visiting(settings) as brokers:
            inside = await _inside(brokers, settings)
    except BrokerAway as exc:
        remedy = (
            "The address can be reached, but nothing answers there as Kafka should: check "
            "TCCC_KAFKA_SECURITY_PROTOCOL, the SASL user and password, and whether the brokers hang (their logs)."
        )
        return [*_softened(doors), fail("Kafka", str(exc), remedy)]
    return [*_softened(doors), *inside]


async def _knock(address: str) -> Finding:
    check = f"Kafka address {address}"
    host, _, port = address.rpartition(":") if ":" in address else (address, "", str(_DEFAULT_PORT))
    try:
        async with asyncio.timeout(DEADLINE_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.close()
    except ValueError:
        return fail(check, "not an address", "Set TCCC_KAFKA_BOOTSTRAP to HOST:PORT,HOST:PORT.")
    except TimeoutError:
        return fail(check, f"no answer within {DEADLINE_S:.0f} s", "Check the address, routes and firewalls.")
    except socket.gaierror:
        return fail(check, "this host name is not known here", "Check TCCC_KAFKA_BOOTSTRAP and the DNS.")
    except OSError:
        return fail(check, "nothing listens there", "Start Kafka, or correct TCCC_KAFKA_BOOTSTRAP.")
    return ok(check, "can be reached")


def _softened(doors: list[Finding]) -> list[Finding]:
    """One address that answers is enough to find the others."""
    return [door if door.state == "ok" else warn(door.check, door.detail, door.remedy) for door in doors]


async def _inside(brokers: Brokers, settings: Settings) -> list[Finding]:
    ids = await brokers.ids()
    findings = [_enough(ids, settings)]
    for wanted in wanted_topics(settings):
        findings.append(_topic(wanted, await brokers.topic(wanted.name)))
    return findings


def _enough(ids: list[int], settings: Settings) -> Finding:
    check, detail = "Kafka brokers", f"{len(ids)} alive ({', '.join(map(str, ids))})"
    if len(ids) < settings.topic_replication:
        remedy = (
            f"TCCC_TOPIC_REPLICATION is {settings.topic_replication}: start the missing brokers, or lower it."
        )
        too_few = len(ids) < settings.min_insync_replicas
        return (fail if too_few else warn)(check, detail, remedy)
    return ok(check, detail)


def _topic(wanted: NewTopic, topic: Topic | None) -> Finding:
    check = f"topic {wanted.name}"
    if topic is None:
        return fail(check, "missing", "Run 'tccc topics'.")
    if not topic.configs:
        return warn(
            check, "its settings are not shown to this login", "Grant it DescribeConfigs on the topic."
        )
    least = int(topic.config("min.insync.replicas"))
    shut = [p.number for p in topic.partitions if p.leader is None or p.in_sync < least]
    if shut:
        remedy = "Start the missing brokers, and see their logs. Receivers spool until then."
        return fail(check, f"partitions {_list(shut)} cannot be written", remedy)
    behind = [p.number for p in topic.partitions if p.in_sync < p.replicas]
    if behind:
        remedy = "One more broker lost may stop writing: see to the brokers that are away or slow."
        return warn(check, f"partitions {_list(behind)} have replicas that are behind", remedy)
    differences = compare(wanted, topic).differences
    if differences:
        remedy = "Set TCCC_TOPIC_… to what is meant, or alter the topic with Kafka's own tools."
        return warn(check, "; ".join(differences), remedy)
    return ok(check, _well(topic.partitions))


def _well(partitions: list[Partition]) -> str:
    return f"{len(partitions)} partitions, {partitions[0].replicas} replicas, as the settings say"


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
