"""`tccc report` in all its forms, on a real Postgres."""

import csv
import io
import json
import re
from xml.etree import ElementTree as ET

import pyarrow as pa
from msgspec.structs import replace
from pyarrow import parquet

from schemas.settings import Settings
from tests.pipeline import Ran, tccc
from tests.records import item, payload
from worker import store
from worker.database import connected

EVIL = '=HYPERLINK("http://x.example")<script>alert(1)</script>'


async def reported(database_url: str, *words: str) -> Ran:
    async with connected(database_url) as db:
        call = payload("cdr-inbound-transfer").replace(b'"wangwu@example.com"', json.dumps(EVIL).encode())
        name = json.loads(call)["SessionId"]
        await store.prepare(db)
        await store.settle(db, [item(call, key=name)])
    span = ("--from", "2023-02-23", "--tz", "Asia/Shanghai")
    return await tccc(replace(Settings(), database_url=database_url), "report", *words, *span)


async def test_a_table_for_people(database_url: str) -> None:
    ran = await reported(database_url, "day")
    assert ran.status == 0, ran.err
    assert "Calls by hour: 2023-02-23 00:00 to 2023-02-24 00:00, Asia/Shanghai" in ran.out
    row = next(line for line in ran.out.splitlines() if line.startswith("16:00"))
    assert row.split()[1:7] == ["█" * 12, "1", "1", "0", "100.0%", "0:14"]


async def test_json_has_every_column(database_url: str) -> None:
    ran = await reported(database_url, "queue", "--format", "json", "--within", "13")
    (row,) = ran.result["rows"]
    assert (row["key"], row["label"], row["service_level"], row["ratings"]) == (
        "3301",
        "售后一组",
        0,
        {"5": 1},
    )
    assert row["bucket"] == "2023-02-22T16:00:00Z"
    assert row["transferred"] == 1


async def test_csv_holds_no_formula(database_url: str) -> None:
    ran = await reported(database_url, "agent", "--format", "csv")
    first, second = csv.DictReader(io.StringIO(ran.out))
    assert (first["agent"], first["gave_away"]) == ("'" + EVIL, "1")
    assert (second["agent"], second["took_over"], second["ratings"]) == ("lisi@example.com", "1", '{"5": 1}')


async def test_parquet_has_types(database_url: str, tmp_path: object) -> None:
    file = f"{tmp_path}/agents.parquet"
    ran = await reported(database_url, "agent", "--format", "parquet", "--output", file)
    assert (ran.status, ran.out) == (0, "")
    table = parquet.read_table(file)
    assert table.column("agent").to_pylist() == [EVIL, "lisi@example.com"]
    assert table.schema.field("bucket").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("ring_avg_s").type == pa.float64()


async def test_one_page_that_asks_for_nothing(database_url: str) -> None:
    ran = await reported(database_url, "agent", "--format", "html")
    page = ran.out
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    referred = re.findall(r'(?:src|href)="([^"]*)"', page) + re.findall(r"url\(([^)]*)\)", page)
    assert [one for one in referred if not one.startswith(("#", "data:"))] == []
    assert "http://" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", page).replace("http://x.example", "")
    drawn = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(drawn) == 4
    for element in drawn:
        ET.fromstring(element)
    assert "售后一组" in (await reported(database_url, "queue", "--format", "html")).out


async def test_what_cannot_be_asked(database_url: str) -> None:
    for words in (("day", "--tz", "Mars/Olympus"), ("year",), ("day", "--from", "yesterday")):
        ran = await tccc(replace(Settings(), database_url=database_url), "report", *words)
        assert ran.status == 2, words
