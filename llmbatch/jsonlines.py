"""JSON as lines, exact also where the quick encoder is not."""

import json
from typing import Any

import orjson

from llmbatch.filenames import readable_json


def dump_line(data: Any) -> bytes:
    """`data` as one line of UTF-8 JSON, newline included.

    Integers beyond 64 bits, which input rows may carry, are written exactly. Bytes of file names that are not UTF-8
    stand as people read them.
    """
    try:
        return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return f"{readable_json(text)}\n".encode()
