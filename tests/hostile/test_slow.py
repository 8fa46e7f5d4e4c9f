"""The short form of what tests.hostile.slow does for minutes."""

from msgspec.structs import replace

from schemas.settings import Settings
from tests.hostile.slow import Plan, measure

MOST_GROWTH_MIB = 150


async def test_idle_and_slow_clients_refuse_nobody(topics: Settings) -> None:
    """Far more of them than the receiver has room for: they push out one another, and hold a bounded memory."""
    settings = replace(topics, max_connections=400, max_in_flight_bytes=4 * 2**20, ack_timeout_s=20.0)
    report = await measure(settings, Plan(seconds=3, connections=380, rate=50))
    assert report.refused == 0, report
    assert report.attack.answers == {"200": 150}
    assert report.attack.receiver_mib < report.calm.receiver_mib + MOST_GROWTH_MIB
    assert report.limit_hits["TCCC_MAX_CONNECTIONS"] > 0
