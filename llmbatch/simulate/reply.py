"""The offline endpoint's reply, and how it is sent: plain data, before HTTP."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NoReturn

import orjson


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    kind: str = ""
    """Kind of a refusal, by its fault's name: other providers have other words for it."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Values that such words may contain."""


class Manner(Enum):
    """How a reply is sent over the wire."""

    WHOLE = "whole"
    HANG = "hang"
    """No byte, until the client disconnects."""
    RESET = "reset"
    """No byte: the connection is reset."""
    CUT = "cut"
    """Half of the announced body, then the connection ends."""
    DRIP = "drip"
    """Byte by byte."""
    ENDLESS = "endless"
    """Endless white space before the body."""
    BOMB = "bomb"
    """A small compressed body that expands to a large one, although the client did not request compression."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How and when a reply is sent.

    `wait_s` passes before the first byte; `spread_s` is how long a drip takes in total, or a hang at most.
    """

    manner: Manner = Manner.WHOLE
    wait_s: float = 0.0
    spread_s: float = 0.0

    @property
    def arrives(self) -> bool:
        """Whether the client receives a status."""
        return self.manner not in (Manner.HANG, Manner.RESET)


class RefusedError(Exception):
    """The request is answered with an error."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def error_reply(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
    fault: str = "",
    **facts: Any,
) -> Reply:
    """An error in OpenAI's form. `kind` is its `type`; `fault` and `facts` are the reply's `kind` and `facts`."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return Reply(status, orjson.dumps({"error": error}), headers or {}, kind=fault, facts=facts)


def reject(message: str, param: str | None = None, code: str | None = None) -> NoReturn:
    """Answer a request with 400.

    Raises:
        RefusedError: always.
    """
    fault = "bad_parameter" if param and not param.startswith("messages") else ""
    raise RefusedError(error_reply(400, message, param=param, code=code, fault=fault, parameter=param))


def html_reply(status: int, title: str, text: str) -> Reply:
    """A page as proxies and login portals send it."""
    page = (
        f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>\n"
    )
    return Reply(status, page.encode(), content_type="text/html")


def retry_headers(wait_s: float) -> dict[str, str]:
    """How long to wait, in OpenAI's headers: in milliseconds and in seconds, both rounded up to whole numbers."""
    return {"retry-after-ms": str(math.ceil(wait_s * 1000)), "retry-after": str(math.ceil(wait_s))}
