"""What a request to DescribeTelCdr may ask, held to the documented limits, refused with the vendor's codes."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

MAX_AGE_S = 180 * 86_400
MAX_SPAN_S = 90 * 86_400
MAX_PAGE_SIZE = 100
AGE_GRACE_S = 60  # a request takes its time on the way

_Unix = Annotated[int, Meta(ge=0)]


class ApiError(Exception):
    """Told with HTTP status 200, as `Response.Error`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


class Query(Struct, frozen=True, kw_only=True, rename="pascal", forbid_unknown_fields=True):
    """Unix seconds, both ends included; pages count from 0."""

    start_time_stamp: _Unix
    end_time_stamp: _Unix
    sdk_app_id: int
    page_size: Annotated[int, Meta(ge=1, le=MAX_PAGE_SIZE)]
    page_number: Annotated[int, Meta(ge=0)]
    phones: list[str] = []
    session_ids: list[str] = []


def read_query(body: bytes, sdk_app_id: int, now_s: float) -> Query:
    """Raises ApiError."""
    try:
        query = msgspec.json.decode(body, type=Query)
    except msgspec.ValidationError as exc:
        raise ApiError("InvalidParameterValue", str(exc)) from None
    except msgspec.DecodeError:
        raise ApiError("InvalidParameter", "The body is not JSON.") from None
    if query.sdk_app_id != sdk_app_id:
        raise ApiError("UnauthorizedOperation", "No such SdkAppId, or not yours.")
    if query.end_time_stamp < query.start_time_stamp:
        raise ApiError("InvalidParameterValue", "EndTimeStamp lies before StartTimeStamp.")
    if query.end_time_stamp - query.start_time_stamp >= MAX_SPAN_S:
        raise ApiError("InvalidParameterValue", "The span has to be shorter than 90 days.")
    if query.start_time_stamp < now_s - MAX_AGE_S - AGE_GRACE_S:
        raise ApiError("InvalidParameterValue", "StartTimeStamp lies more than 180 days back.")
    return query
