"""What receivers and workers tell of themselves at their admin addresses."""

import asyncio
from collections import Counter
from collections.abc import Iterable

import aiohttp
import msgspec
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

DEADLINE_S = 3.0


class Sample(Struct, frozen=True):
    name: str
    labels: dict[str, str]
    value: float


class Process(Struct, frozen=True, kw_only=True):
    """`reason` says why it is not ready; one that does not answer has no samples and `answers` is false."""

    admin_url: str
    ready: bool
    reason: str | None = None
    answers: bool = True
    samples: list[Sample] = []

    def value(self, name: str) -> float | None:
        """The sum of a metric over its labels; None if it is not told."""
        values = [sample.value for sample in self.samples if sample.name == name]
        return sum(values) if values else None

    def by(self, name: str, label: str) -> dict[str, int]:
        """A metric by one of its labels."""
        totals: Counter[str] = Counter()
        for sample in self.samples:
            if sample.name == name:
                totals[sample.labels[label]] += int(sample.value)
        return dict(totals)


class _Readiness(Struct):
    status: str
    reason: str | None = None


async def ask_all(urls: Iterable[str]) -> list[Process]:
    """All at once; never raises: who does not answer is told as such."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(DEADLINE_S)) as session:
        return list(await asyncio.gather(*[_ask(session, url.rstrip("/")) for url in urls]))


async def _ask(session: aiohttp.ClientSession, url: str) -> Process:
    try:
        async with session.get(url + "/readyz") as answer:
            readiness = msgspec.json.decode(await answer.read(), type=_Readiness)
            ready = answer.ok
        async with session.get(url + "/metrics") as answer:
            samples = _samples(await answer.text())
    except aiohttp.ClientConnectorError:
        return Process(admin_url=url, ready=False, reason="nothing listens there", answers=False)
    except TimeoutError:
        return Process(
            admin_url=url, ready=False, reason=f"no answer within {DEADLINE_S:.0f} s", answers=False
        )
    except aiohttp.InvalidURL:
        return Process(admin_url=url, ready=False, reason="not a URL", answers=False)
    except (aiohttp.ClientError, ValueError):
        return Process(admin_url=url, ready=False, reason="what answers there is not ours", answers=False)
    return Process(
        admin_url=url,
        ready=ready,
        reason=None if ready else readiness.reason or readiness.status,
        samples=samples,
    )


def _samples(text: str) -> list[Sample]:
    return [
        Sample(sample.name, dict(sample.labels), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
