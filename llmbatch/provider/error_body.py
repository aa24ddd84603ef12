"""Reads an error's body in any shape: nested objects, lists, JSON within a string, HTML, XML, plain text.

Vendors follow no common format: `error.message` (OpenAI), a list at the top (Gemini), `detail` with a list of fields
(FastAPI), `errors` (Cloudflare), `Error.Message` (AWS), `base_resp.status_msg` (MiniMax), the true error as a string in
`metadata.raw` (OpenRouter). So keys are looked for at any depth, in any case.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

_MESSAGE_KEYS = frozenset({
    "message", "msg", "error_message", "errormessage", "error_msg", "errormsg", "err_msg", "status_msg",
    "statusmessage", "detail", "details", "description", "error_description", "reason_phrase", "title", "error",
    "errors", "raw", "cause", "exception", "failure", "fault",
})  # fmt: skip
_CODE_KEYS = frozenset({
    "code", "type", "status", "error_code", "errorcode", "err_code", "error_type", "errortype", "reason", "kind",
    "__type", "status_code", "statuscode", "http_code", "httpstatus",
})  # fmt: skip
_CODE = re.compile(r"[A-Za-z0-9_.:#-]{1,100}")
_ECHO_KEYS = frozenset({
    "input", "ctx", "failed_generation", "request", "headers", "trace", "stack", "stacktrace", "traceback", "url",
})  # fmt: skip
"""Keys that echo our own request, or hold nothing readable."""
_WINDOW_KEYS = frozenset({"n_ctx", "max_model_len", "max_context_length", "context_length", "context_window"})
_NOTHING = frozenset({"", "none", "null", "error", "0"})
_MOST_NODES, _DEEPEST, _MOST_ITEMS = 300, 8, 10
_LONGEST_TEXT = 4_000
_LONGEST_MESSAGE = 600
_FIRST_ERROR = 400
_TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]{0,2000}>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<(title|message|h1)\b[^>]{0,200}>(.*?)</\1\s*>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """An error as its body describes it."""

    message: str = ""
    """A readable message of limited length; empty if the body has none."""
    text: str = ""
    """The full text in lower case, with codes as `[code]`, in which wordings are searched."""
    code: str | None = None
    """The first code, unchanged."""
    parameter: str = ""
    """The offending parameter, or empty."""
    status: int | None = None
    """An HTTP status named in the body."""
    window: int | None = None
    """The model's context window in tokens, if given as a separate number."""
    is_error: bool = False
    """Whether it looks like an error, to recognise one in an answer with status 200."""


def read_error(body: bytes) -> ErrorReport:
    """Read the body of a refusal."""
    text = body.decode("utf-8-sig", "replace").strip()
    if text.startswith("data:"):  # an event stream of one event
        text = text.removeprefix("data:").split("\n\n", 1)[0].strip()
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _read_text(text)
    return read_error_data(data)


def read_error_data(data: Any) -> ErrorReport:
    """Read an already decoded error, as found in an answer with status 200."""
    if isinstance(data, str):
        return _read_text(data.strip())
    found = _Found()
    for path, value in _walk(data):
        found.add(path, value)
    return found.report(data)


class _Found:
    """Collects the messages and codes in a body's nodes."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.codes: list[tuple[str, str]] = []
        """(key, code) of each code found."""
        self.parameter = ""
        self.window: int | None = None

    def add(self, path: str, value: Any) -> None:
        parent, _, key = path.rpartition(".")
        match value:
            case str() if not value.strip():
                return
            case str() if key in _CODE_KEYS and _CODE.fullmatch(value):
                self._add_code("innererror" if parent == "innererror" else key, value)
            case str() if key in _MESSAGE_KEYS and value.strip() not in self.messages:
                self.messages.append(value.strip())
            case str() if key in ("param", "parameter", "field") and value.lower() not in _NOTHING:
                self.parameter = self.parameter or value
            case list() if key == "loc":  # FastAPI's location of an error
                self.parameter = self.parameter or ".".join(str(part) for part in value if part != "body")
            case int() if key in _WINDOW_KEYS and value > 0:
                self.window = value
            case int() if key in _CODE_KEYS and not isinstance(value, bool):
                self._add_code(key, str(value))

    def _add_code(self, key: str, code: str) -> None:
        if code.lower() not in _NOTHING:
            self.codes.append((key, code))

    def report(self, data: Any) -> ErrorReport:
        codes = [code for _, code in self.codes]
        messages = self.messages or [code for code in codes if not code.isdigit()] or list(_strings(data))
        text = " ".join([*(f"[{code}]" for code in codes), f"({self.parameter})", *messages])
        blamed = self.parameter
        named = f"{blamed}: " if blamed and not any(blamed in message for message in messages) else ""
        statuses = (int(code) for code in codes if code.isdigit() and len(code) == 3)  # noqa: PLR2004 - HTTP status codes
        return ErrorReport(
            message=(named + "; ".join(messages))[:_LONGEST_MESSAGE] if messages else "",
            text=text[:_LONGEST_TEXT].lower(),
            code=self._stated_code(),
            parameter=blamed,
            status=next((status for status in statuses if _FIRST_ERROR <= status < 600), None),  # noqa: PLR2004
            window=self.window,
            is_error=bool(self.messages),
        )

    def _stated_code(self) -> str | None:
        """Azure gives the policy in `innererror`, only "400" or "content_filter" outside; types are not codes."""
        preferred = ("innererror", "code", "error_code", "errorcode", "__type", "status")
        return next((code for wanted in preferred for key, code in self.codes if key == wanted), None)


def _walk(data: Any) -> Iterator[tuple[str, Any]]:
    """Every node below `data`, the nearest first, under `parent.key` in lower case; JSON in a string is opened."""
    queue: list[tuple[str, Any, int]] = [("", data, 0)]
    for path, value, depth in queue:
        inner = _opened(value)
        if inner is None or len(queue) > _MOST_NODES or depth >= _DEEPEST:
            yield path, value
            continue
        key = path.rpartition(".")[2]
        if isinstance(inner, dict):
            named = ((str(name).lower(), below) for name, below in inner.items())
            queue += ((f"{key}.{name}", below, depth + 1) for name, below in named if name not in _ECHO_KEYS)
        elif key == "loc":
            yield path, inner
        else:
            queue += ((path or ".errors", below, depth + 1) for below in inner[:_MOST_ITEMS])


def _opened(value: Any) -> dict[str, Any] | list[Any] | None:
    """A node's children; None if it has none."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    return value if isinstance(value, dict | list) else None


def _strings(data: Any) -> Iterator[str]:
    return (value.strip() for _, value in _walk(data) if isinstance(value, str) and value.strip())


def _read_text(text: str) -> ErrorReport:
    if not text:
        return ErrorReport()
    if text.startswith("<"):
        titles = [_TAGS.sub(" ", match[2]) for match in _TITLE.finditer(text[: 4 * _LONGEST_TEXT])]
        title = "; ".join(dict.fromkeys(" ".join(title.split()) for title in titles if title.strip()))
        plain = " ".join(_TAGS.sub(" ", text[: 4 * _LONGEST_TEXT]).split())
        page = "an HTML page" if "<html" in text[:1000].lower() or "<!doctype" in text[:1000].lower() else "XML"
        message = f"{page}: {(title or plain)[:200]}" if title or plain else page
        return ErrorReport(message, plain[:_LONGEST_TEXT].lower())
    return ErrorReport(" ".join(text.split())[:_LONGEST_MESSAGE], text[:_LONGEST_TEXT].lower())
