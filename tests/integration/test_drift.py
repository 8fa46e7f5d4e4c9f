"""What the protocol does not list shows within a minute: in the table, the metric, `tccc drift` and `tccc status`."""

from collections.abc import Awaitable, Callable
from typing import Any

from schemas.settings import Settings
from tests.commands import tccc
from tests.pipeline import cdr, now_us, produce
from tests.processes import environment, running

Until = Callable[..., Awaitable[Any]]


async def test_unknown_field_and_end_status_show_within_a_minute(
    settings: Settings, eventually: Until
) -> None:
    at_us = now_us()
    odd: dict[str, Any] = {
        "EndStatusString": "abductedByAliens",
        "CustomerLevel": {"Tier": "gold"},
        "SeatUser": {"Mood": 3},
        "ServeParticipants": [{"Type": "robotSeat", "Sequence": 0, "Weight": 1}],
    }
    personal: dict[str, Any] = {
        "13800138000": 1,
        "zhang@example.com": 2,
        "HungUpSide": "0086 13800138000",
        "Direction": 7,
    }
    sent = [
        *(cdr(n, at_us=at_us, EndStatusString="ok", HungUpSide="user") for n in range(5)),
        *(cdr(n, at_us=at_us, **odd) for n in range(5, 8)),
        cdr(8, at_us=at_us, **personal),
    ]
    await produce(settings, sent)
    environ = environment(settings)

    async def shown() -> Any:
        told = (await tccc("drift", "--json", environ=environ)).json["drift"]
        return told if sum(row["records"] for row in told) == 5 * 3 + 3 else None

    async with running("worker", settings) as worker:
        told = await eventually(shown, timeout_s=60.0)
        _, metrics = await worker.admin("/metrics")
        status = await tccc(
            "status", "--json", "--worker-admin", (await worker.event("started"))["admin"], environ=environ
        )
        screen = await tccc("status", environ=environ)
        table = await tccc("drift", environ=environ)
        assert await worker.stop() == 0
    assert [(row["kind"], row["name"], row["value"], row["records"]) for row in told] == [
        ("field", "(other)", None, 1),
        ("field", "CustomerLevel", None, 3),
        ("field", "SeatUser.Mood", None, 3),
        ("field", "ServeParticipants.Weight", None, 3),
        ("value", "Direction", "7", 1),
        ("value", "EndStatusString", "abductedByAliens", 3),
        ("value", "HungUpSide", "(other)", 1),
        ("value", "ServeParticipants.Type", "robotSeat", 3),
    ]
    assert told[1]["first_seen"] < told[1]["last_seen"]
    assert 'tccc_drift_total{action="cdr",kind="field"} 10.0' in metrics
    assert 'tccc_drift_total{action="cdr",kind="value"} 8.0' in metrics
    assert status.json["drift"] == {"fields": 4, "values": 4}
    assert "4 fields and 4 values in 7 days: see 'tccc drift'" in screen.out
    assert "abductedByAliens" in table.out
    assert "138001" not in table.out
