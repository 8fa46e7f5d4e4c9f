"""Chooses a record's partition as Kafka's own clients do: murmur2 of the key, whoever publishes."""

from murmurhash2 import murmurhash2

_SEED = 0x9747B28C  # of org.apache.kafka.common.utils.Utils


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Kafka's default partitioner gives a key, of so many."""
    return (murmurhash2(key, _SEED) & 0x7FFFFFFF) % partitions
