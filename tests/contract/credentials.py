"""Pushes that carry credentials, and how they are answered."""

from tests.contract.http_cases import GOOD, request
from tests.contract.wire import connected

Lines = tuple[str, ...]


def carrying(lines: Lines, sent: bytes = GOOD, framing: dict[str, str] | None = None) -> bytes:
    """A push with these Authorization headers."""
    headers = "".join(f"\r\nAuthorization: {one}" for one in lines).encode()
    return request(sent=sent, framing=framing).replace(b"\r\n\r\n", headers + b"\r\n\r\n", 1)


async def answered(port: int, raw: bytes) -> bytes | None:
    """The answer as it is on the wire, on a connection of its own."""
    async with connected(port) as wire:
        await wire.send(raw)
        return await wire.answer_bytes()


async def statuses(port: int, *authorizations: str) -> list[int]:
    """How pushes with these Authorization headers are answered, one after the other on one connection."""
    found = []
    async with connected(port) as wire:
        for one in authorizations:
            reply = await wire.ask(carrying((one,)))
            assert reply is not None
            found.append(reply.status)
    return found


async def the_one_answer(port: int, wrong: dict[str, Lines]) -> bytes:
    """How all of these are refused; fails if not all are, or not all in the same way."""
    replies = {name: await answered(port, carrying(lines)) for name, lines in wrong.items()}
    first = next(iter(replies.values()))
    assert {name: reply for name, reply in replies.items() if reply != first} == {}
    assert first is not None
    assert first.startswith(b"HTTP/1.1 401 ")
    return first
