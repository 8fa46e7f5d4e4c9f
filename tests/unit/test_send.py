"""`tccc send` against a small server on loopback: what it posts, how it tries again, what it tells of it."""

import asyncio
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from console.send import send
from console.simulator.delivery import Delivery
from console.simulator.load import Load, Plan
from console.simulator.options import share
from console.simulator.session import Push
from console.simulator.tally import Tally
from console.simulator.vendor import Answer, Vendor

TAKEN = {"ErrMsg": "", "ErrCode": 0}
DOCUMENTED = b'{"SessionId": "s-1", "Caller": "1", "SeatUser": {"SkillGroupNameList": [\n"Outbound",\n]}}'


class Seen(NamedTuple):
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    peer: object

    @property
    def push_id(self) -> str:
        return self.headers["X-TCCC-PUSH-UUID"]


class Receiver:
    """Takes every push, unless `answer` says otherwise for the n-th request, counted from 1."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answer: Callable[[int], web.Response] = lambda _: web.json_response(TAKEN)
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        self.seen.append(
            Seen(request.path, dict(request.query), dict(request.headers), body, request.transport)
        )
        return self.answer(len(self.seen))

    async def serve(self, ready: "Future[asyncio.Event]") -> None:
        runner = web.ServerRunner(web.Server(self.handle))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        done = asyncio.Event()
        ready.set_result(done)
        await done.wait()
        await runner.cleanup()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Serve from a thread of its own, since the command runs its own event loop."""
    serving, ready = Receiver(), Future[asyncio.Event]()
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        thread = threading.Thread(target=loop.run_until_complete, args=(serving.serve(ready),))
        thread.start()
        done = ready.result(timeout=10)
        yield serving
        loop.call_soon_threadsafe(done.set)
        thread.join()


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(send, [str(argument) for argument in arguments])


def summary(result: Result) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def refuse(status: int, code: int) -> web.Response:
    return web.json_response({"ErrMsg": "not now", "ErrCode": code}, status=status)


def test_a_request_is_the_vendors(receiver: Receiver) -> None:
    result = run("--url", f"{receiver.url}/in/here?tenant=a%2Fb", "--count", "40", "--seed", "7")
    assert result.exit_code == 0, result.output
    assert {seen.path for seen in receiver.seen} == {"/in/here"}
    assert {seen.query["tenant"] for seen in receiver.seen} == {"a/b"}
    assert {seen.headers["Content-Type"] for seen in receiver.seen} == {"application/json;charset=utf8"}
    for seen in receiver.seen:
        assert seen.query.get("version") == (None if seen.query["action"] == "voicemail" else "1")


def test_the_same_seed_sends_the_same_pushes(receiver: Receiver) -> None:
    arguments = ("--count", "500", "--duplicates", "5%", "--reorder", "0.05", "--seed", "7", "--json")
    told = summary(run("--url", receiver.url, *arguments))
    first, receiver.seen = receiver.seen, []
    assert summary(run("--url", receiver.url, *arguments))["sessions"] == told["sessions"]
    pushes, again = ({(seen.push_id, seen.body) for seen in part} for part in (first, receiver.seen))
    assert pushes == again
    assert len(pushes) == 500
    assert len(first) == told["sent"] == told["taken"] == 500 + told["duplicates"]
    assert told["duplicates"] > 0
    calls = {
        json.loads(seen.body)["SessionId"]
        for seen in first
        if b"HungUpSide" in seen.body and b",]" not in seen.body
    }
    odd = {seen.push_id for seen in first if b",]" in seen.body}
    assert len(calls) + len(odd) == told["sessions"]


def test_what_is_not_taken_is_tried_again_under_its_id(receiver: Receiver) -> None:
    refusals = {1: refuse(503, 50301), 2: refuse(200, 50301), 3: web.Response(text="<html>")}
    receiver.answer = lambda number: refusals.get(number) or web.json_response(TAKEN)
    told = summary(run("--url", receiver.url, "--count", "20", "--retry-wait", "0", "--seed", "7", "--json"))
    assert told["refusals"] == {"503/50301": 1, "200/50301": 1, "200/-": 1}
    assert (told["sent"], told["taken"], told["not_taken"], told["retried"]) == (20, 20, 0, 3)
    tries = Counter(seen.push_id for seen in receiver.seen)
    assert len(tries) == 20
    assert tries.total() == 23


def test_a_push_is_given_up_after_three_more_tries(receiver: Receiver) -> None:
    receiver.answer = lambda _: refuse(503, 50301)
    result = run("--url", receiver.url, "--count", "5", "--retry-wait", "0", "--seed", "7", "--json")
    told = summary(result)
    assert result.exit_code == 1
    assert (told["taken"], told["not_taken"], told["retried"], told["sessions"]) == (0, 5, 15, 0)
    assert set(Counter(seen.push_id for seen in receiver.seen).values()) == {4}


def test_nobody_listening(unused_tcp_port: int) -> None:
    result = run("--url", f"http://127.0.0.1:{unused_tcp_port}/", "--count", "3", "--retries", "0", "--json")
    assert result.exit_code == 1
    assert summary(result)["refusals"] == {"cannot connect": 3}
    assert summary(result)["latency_ms"] is None


def test_an_interrupted_run_tells_what_was_done(receiver: Receiver) -> None:
    def answer(number: int) -> web.Response:
        if number == 20:
            os.kill(os.getpid(), signal.SIGINT)
        return web.json_response(TAKEN)

    receiver.answer = answer
    result = run("--url", receiver.url, "--count", "1000000", "--connections", "4", "--json")
    told = summary(result)
    assert result.exit_code == 130
    assert told["interrupted"]
    assert told["sent"] == told["taken"] == len(receiver.seen)


def test_credentials_are_sent(receiver: Receiver) -> None:
    run("--url", receiver.url, "--count", "1", "--basic", "vendor:p:w")
    assert receiver.seen[0].headers["Authorization"] == "Basic dmVuZG9yOnA6dw=="


def test_each_try_and_its_answer_are_written_down(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answer = lambda number: refuse(503, 50301) if number == 1 else web.json_response(TAKEN)
    output = tmp_path / "sent.ndjson"
    run("--url", receiver.url, "--count", "30", "--retry-wait", "0", "--output", output, "--action", "cdr")
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert {line["push_id"] for line in lines} == {seen.push_id for seen in receiver.seen}
    assert Counter((line["status"], line["err_code"]) for line in lines) == {(200, 0): 30, (503, 50301): 1}
    assert {line["action"] for line in lines} == {"cdr"}
    assert all(line["session_id"] and line["latency_ms"] > 0 for line in lines)


def test_a_table_for_people(receiver: Receiver) -> None:
    receiver.answer = lambda number: refuse(503, 50301) if number == 1 else web.json_response(TAKEN)
    result = run("--url", receiver.url, "--count", "30", "--retry-wait", "0", "--seed", "7")
    assert result.exit_code == 0
    for part in ("taken", "refused 503/50301", "1 tries", "p99.9", "seed"):
        assert part in result.stdout
    assert result.stderr == ""


def test_files_go_as_they_are_in_their_order(receiver: Receiver, tmp_path: Path) -> None:
    bodies = {
        "cdr.json": DOCUMENTED,
        "record.json": b'{"SessionId":"s-1","RecordId":"1","RecordURL":"u"}',
        "voicemail.json": b'{"SessionId":"s-1","RecordURL":"u","EndpointUser":1}',
        "imcdr.json": b'{"SessionId":"s-2","ClientData":"","SeatUser":null}',
    }
    for name, body in bodies.items():
        (tmp_path / name).write_bytes(body)
    result = run("--url", receiver.url, *(tmp_path / name for name in bodies))
    assert result.exit_code == 0, result.output
    assert [seen.body for seen in receiver.seen] == list(bodies.values())
    assert [seen.query["action"] for seen in receiver.seen] == ["cdr", "record", "voicemail", "imcdr"]
    assert result.stdout.splitlines() == [
        f'{tmp_path / name}: 200 {{"ErrMsg": "", "ErrCode": 0}}' for name in bodies
    ]


def test_a_refused_file(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answer = lambda _: refuse(400, 40001)
    path = tmp_path / "bad"
    path.write_bytes(b"not JSON")
    result = run("--url", receiver.url, path, "--action", "cdr", "--push-id", "u1", "--json")
    told = summary(result)
    assert result.exit_code == 1
    assert [(answer["file"], answer["push_id"], answer["err_code"]) for answer in told["answers"]] == [
        (str(path), "u1", 40001)
    ]
    assert [seen.push_id for seen in receiver.seen] == ["u1"]


def test_a_body_from_standard_input(receiver: Receiver) -> None:
    result = CliRunner().invoke(send, ["--url", receiver.url, "-"], input=DOCUMENTED)
    assert result.exit_code == 0
    assert receiver.seen[0].body == DOCUMENTED


def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in run("--dry-run", "--count", "5", "--seed", "7").stdout.splitlines()]
    assert len({line["push_id"] for line in lines}) == 5
    assert all(line["body"]["SessionId"] for line in lines)
    (tmp_path / "cdr.json").write_bytes(DOCUMENTED)
    assert json.loads(run("--dry-run", tmp_path / "cdr.json").stdout)["body"] == DOCUMENTED.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--duplicates", "101%"),
        ("--duplicates", "nan"),
        ("--reorder", "-0.1"),
        ("--reorder", "some"),
        ("--rate", "0"),
        ("--count", "0"),
        ("--url", "ftp://somewhere/"),
        ("--url", "http://a:b:c/"),
        ("--url", "http://somewhere/#here"),
        ("--url", "http://user:password@somewhere/"),
        ("--push-id", "u1"),
        ("no-such-file",),
        ("/dev/null",),
    ],
)
def test_usage_errors(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Error" in result.stderr


@pytest.mark.parametrize(
    ("text", "expected"), [("5%", 0.05), ("0.05", 0.05), ("0", 0), ("100%", 1), ("1", 1)]
)
def test_a_share_is_read(text: str, expected: float) -> None:
    assert share(text) == pytest.approx(expected)


class SlowAtFirst:
    """Answers the first push late, the others at once."""

    def __init__(self) -> None:
        self.slow = True

    async def push(self, push: Push) -> Answer:
        if self.slow:
            self.slow = False
            await asyncio.sleep(0.2)
        return Answer(200, 0)


async def test_in_an_open_loop_latency_counts_from_when_a_push_was_due() -> None:
    tally = Tally()
    pushes = [Delivery(Push("cdr", "1", str(number), "s", b"{}", 0.0)) for number in range(10)]
    await Load(SlowAtFirst(), Plan(connections=1, rate_per_s=1000), tally).run(iter(pushes))
    told = tally.summary(seed=None)
    assert (told.sent, told.taken) == (10, 10)
    assert told.late == 9
    assert told.latency_ms
    assert told.latency_ms.p50 > 150
    assert told.behind_s > 0.15


ANSWERS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + b'{"ErrCode": 0}', "200/0"),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 \r\ncontent-length:14\r\n\r\n" + b'{"ErrCode": 7}', "503/7"),
    (
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7;x=y\r\n{"ErrCo\r\n7\r\nde": 0}\r\n0\r\n\r\n',
        "200/0",
    ),
    (b"HTTP/1.0 200 OK\r\n\r\n" + b'{"ErrCode": 0}', "200/0"),
    (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 14\r\n\r\n" + b'{"ErrCode": 0}', "200/0"),
    (b"HTTP/1.1 204 No Content\r\n\r\n", "204/-"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + b'{"ErrCode"', "connection broken"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "unreadable answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", "unreadable answer"),
    (b"HTTP/1.1 nothing\r\n\r\n", "unreadable answer"),
    (b"SSH-2.0-x\r\n\r\n", "unreadable answer"),
    (b"", "connection broken"),
]


@pytest.mark.parametrize(("raw", "expected"), ANSWERS)
async def test_answers_of_every_shape_are_read_in_full(raw: bytes, expected: str) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(raw)
        await writer.drain()
        writer.close()

    push = Push("cdr", "1", "u1", "s", b"{}", 0.0)
    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Vendor(f"http://127.0.0.1:{port}/", timeout_s=10) as vendor:
        assert (await vendor.push(push)).reason == expected


async def test_a_receiver_that_never_answers() -> None:
    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(ignore, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Vendor(f"http://127.0.0.1:{port}/", timeout_s=0.05) as vendor:
        assert (await vendor.push(Push("cdr", "1", "u1", "s", b"{}", 0.0))).reason == "timed out"


def test_connections_are_kept(receiver: Receiver) -> None:
    run("--url", receiver.url, "--count", "200", "--connections", "3", "--seed", "7")
    assert len({seen.peer for seen in receiver.seen}) <= 3
