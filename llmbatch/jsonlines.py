"""JSON as lines, exact also where the quick encoder is not."""

import json
from typing import Any

import orjson


def dump_line(data: Any) -> bytes:
    """`data` as one line of UTF-8 JSON, newline included.

    Integers beyond 64 bits, which input rows may carry, are written exactly.
    """
    try:
        return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"
