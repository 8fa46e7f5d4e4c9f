"""The whole table of bad input: of the receiver, of the worker, of both."""

from tests.hostile import credentials, framing, json_texts, records, targets, values
from tests.hostile.case import Case

ALL: list[Case] = [*framing.ALL, *targets.ALL, *credentials.ALL, *json_texts.ALL, *values.ALL, *records.ALL]
