"""Lists the sessions of a span, whole or not at all: pages that contradict each other are asked for again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from msgspec import Struct

from console.reconcile.span import DAY_S, MAX_LENGTH_S, Span
from console.reconcile.vendor import PAGE_SIZE, Element, Page, Vendor
from schemas.decoding import session_id_fault
from schemas.errors import VendorAway

# A span with more is cut in two: what is listed at a time is bounded, and soon listed again.
MAX_SESSIONS = 2000
_MILLISECONDS_FROM = 500_000_000_000


class Listed(Struct, frozen=True):
    """`elements` are those of the span; `session_ids` hold also what the API told of beside its edges."""

    span: Span
    elements: list[Element]
    session_ids: frozenset[str]


class Unsteady(Exception):  # noqa: N818 -- never leaves this module
    """Pages of one span that do not belong together."""


class Listing:
    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    async def total(self, span: Span) -> int:
        """How many sessions the API counts, at the least (those of the last second may not be in it)."""
        return sum(
            [
                (await self._vendor.page(Span(part.start_s + 1, part.end_s - 1), 0)).total
                for part in span.parts(MAX_LENGTH_S)
                if part.length_s > 1
            ]
        )

    async def at_most(self, span: Span) -> int:
        """How many it counts with those on the edges of the span, which may lie beside it."""
        return sum([(await self._vendor.page(part, 0)).total for part in span.parts(MAX_LENGTH_S)])

    async def slices(self, span: Span) -> AsyncIterator[Listed]:
        """All of the span, in order, in slices of at most MAX_SESSIONS (unless a second has more).

        Raises VendorAway if pages go on contradicting each other, or VendorRefused.
        """
        for day in span.parts(DAY_S):
            waiting = [day]
            while waiting:
                part = waiting.pop()
                elements = await self._list(part)
                if elements is None:
                    waiting += reversed(part.halves())
                else:
                    yield _listed(part, elements)

    async def _list(self, span: Span) -> list[Element] | None:
        """None if there are too many for one slice."""
        for wait_s in self._vendor.waits():
            first = await self._vendor.page(span, 0)
            if first.total > MAX_SESSIONS and span.length_s > 1:
                return None
            rest = await self._pages(span, range(1, -(-first.total // PAGE_SIZE)))
            try:
                return _joined([first, *rest])
            except Unsteady as exc:
                fault = str(exc)
                await asyncio.sleep(wait_s)
        raise VendorAway(f"the vendor's API contradicts itself on {span}: {fault}")

    async def _pages(self, span: Span, numbers: range) -> list[Page]:
        """All at once, as far as the vendor's limits allow; the first that fails ends them all."""
        pages = [asyncio.create_task(self._vendor.page(span, number)) for number in numbers]
        try:
            return await asyncio.gather(*pages)
        finally:
            for page in pages:
                page.cancel()
            await asyncio.gather(*pages, return_exceptions=True)


def _joined(pages: Sequence[Page]) -> list[Element]:
    total = pages[0].total
    if any(page.total != total for page in pages):
        raise Unsteady("the count changes from page to page")
    for number, page in enumerate(pages):
        expected = min(PAGE_SIZE, total - number * PAGE_SIZE)
        if len(page.elements) != expected:
            raise Unsteady(f"page {number} has {len(page.elements)} sessions in place of {expected}")
    elements = [element for page in pages for element in page.elements]
    if any(not isinstance(e, dict) or session_id_fault(e.get("SessionId")) for e in elements):
        raise Unsteady("an element has no SessionId")
    if len({element["SessionId"] for element in elements}) != total:
        raise Unsteady("a session is on two pages")
    return elements


def _listed(span: Span, elements: list[Element]) -> Listed:
    edges = (span.start_s - 1, span.end_s)
    return Listed(
        span,
        [element for element in elements if start_of(element) not in edges],
        frozenset(element["SessionId"] for element in elements),
    )


def start_of(element: Element) -> int | None:
    """When the session began, in Unix seconds; None if the API does not say."""
    return _seconds(element.get("Time")) or _seconds(element.get("StartTimestamp"))


def _seconds(sent: Any) -> int | None:
    try:
        number = int(sent)
    except (TypeError, ValueError):
        return None
    return number // 1000 if number >= _MILLISECONDS_FROM else number
