"""The report for programs: CSV, JSON and Parquet, with every column."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from console.report.question import Answer
from schemas.errors import OperatorError

# A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(answer: Answer) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(answer.columns)
    for row in answer.rows:
        writer.writerow([_harmless(_plain(column, row[column])) for column in answer.columns])
    return text.getvalue().encode()


def as_json(answer: Answer) -> bytes:
    asked = answer.question
    rows = [{column: _typed(column, row[column]) for column in answer.columns} for row in answer.rows]
    told = {
        "since": asked.since,
        "until": asked.until,
        "tz": asked.tz,
        "within_s": asked.within_s,
        "rows": rows,
    }
    return msgspec.json.Encoder(decimal_format="number").encode(told) + b"\n"


def as_parquet(answer: Answer) -> bytes:
    """Raises OperatorError if the library is not installed."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as exc:
        raise OperatorError("Parquet needs a library: pip install 'tccc-ingest[report]'") from exc
    columns = {
        column: pa.array([_number(_plain(column, row[column])) for row in answer.rows], _arrow(pa, column))
        for column in answer.columns
    }
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue().to_pybytes())


def _arrow(pa: Any, column: str) -> Any:
    """An empty column has its type too."""
    if column == "bucket":
        return pa.timestamp("us", tz="UTC")
    if column == "local_time":
        return pa.timestamp("us")
    if column in {"key", "label", "agent", "ratings"}:
        return pa.string()
    return pa.float64() if column.endswith(("_avg", "_avg_s", "_rate", "_level")) else pa.int64()


def _plain(column: str, value: Any) -> Any:
    """The driver gives a time as microseconds, and JSON as text."""
    return datetime.fromtimestamp(value / 1_000_000, UTC) if column == "bucket" else value


def _typed(column: str, value: Any) -> Any:
    if column == "ratings" and value is not None:
        return msgspec.json.decode(value)
    return _plain(column, value)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
