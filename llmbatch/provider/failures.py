"""Every way in which a request can fail, and what is done about it: one table, decided in one place.

Judged in this order: billing code or type, credentials, `x-should-retry`, exception class, status. The rules and
what each was learnt from stand in docs/failures.md.
"""

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from llmbatch.errors import ExitCode
from llmbatch.provider.waits import server_wait_s

if TYPE_CHECKING:
    from openai import APIStatusError

    from llmbatch.provider.completion import Completion


class Action(Enum):
    """What a failure asks for."""

    RETRY = "retry"
    """Again later, after a back-off; uses up an attempt."""
    THROTTLE = "throttle"
    """Everyone waits, then again; uses up no attempt, since the server did not take the request."""
    REASK = "reask"
    """The answer was of no use: once more where that is allowed, at once."""
    ADAPT = "adapt"
    """The endpoint refuses a parameter: once more with the next known shape, else as FAIL."""
    FAIL = "fail"
    """This row is done for; the same request would fail again."""
    STOP = "stop"
    """All rows would fail alike: send nothing more."""


class Billed(Enum):
    """Whether a failed request may cost money."""

    NO = "no"
    UNKNOWN = "unknown"
    """It may have been worked on: its reservation stays charged."""
    YES = "yes"
    """An answer with usage came; it is charged by that."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed request, judged.

    `kind` is the name that users meet in the ledger and in `--only`. `message` is the server's own or ours,
    not yet redacted. `alike_stops` is how many such failures in a row, with no success between, stop the run
    (None: never). `on_first` is the action where not one request has succeeded yet. `repeats` bounds how often a row
    may be asked again when this is what it meets (None: as often as the run allows).
    """

    kind: str
    action: Action
    message: str
    billed: Billed = Billed.NO
    status: int | None = None
    code: str | None = None
    parameter: str | None = None
    request_id: str | None = None
    wait_s: float | None = None
    """What the server asks to wait, seconds; None where it names nothing readable."""
    slow_down: bool = False
    may_be_outage: bool = False
    """Not this row's fault: many of these with no answer between them mean that nobody is served."""
    patience: float = 1.0
    """How many times the usual back-off this row waits."""
    alike_stops: int | None = None
    on_first: Action | None = None
    repeats: int | None = None
    exit_code: ExitCode = ExitCode.GUARD


class RequestFailedError(Exception):
    """A request that came to nothing, or whose answer was of no use."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


_BILLING_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_usage_limit_exceeded",
        "billing_hard_limit_reached",
    }
)
_TOO_LONG_CODES = frozenset({"context_length_exceeded", "string_above_max_length"})
_POLICY_CODES = frozenset({"content_filter", "content_policy_violation", "responsibleaipolicyviolation"})
_PARAMETER_CODES = frozenset(
    {
        "unsupported_parameter",
        "unsupported_value",
        "unknown_parameter",
        "invalid_json_schema",
        "missing_required_parameter",
    }
)
_MODEL_CODES = frozenset({"model_not_found", "deploymentnotfound", "model_not_supported"})

_ALIKE = 5  # failures of one kind in a row, with nothing succeeding between, that stop the run
_NO_COMPLETION_ALIKE = 10
_NO_CAPACITY_PATIENCE = 4.0


def judge_exception(error: BaseException) -> Failure:
    """What to do about an exception that a request ended with.

    Args:
        error: from the SDK, the transport below it, or our own deadline (`TimeoutError`). What is not known is
            this row's failure, told as `unexpected`, and five alike end the run.
    """
    from openai import APIConnectionError, APIStatusError  # noqa: PLC0415 - heavy, and loaded by then

    if isinstance(error, APIStatusError):
        return judge_response(error)
    if isinstance(error, APIConnectionError) or _is_transport_error(error):
        return _judge_connection(error)
    if isinstance(error, TimeoutError):
        return _timed_out("no whole answer in time")
    if isinstance(error, UnicodeError):
        return Failure("unencodable", Action.FAIL, "the text cannot be sent as UTF-8")
    return Failure(
        "unexpected",
        Action.FAIL,
        f"{type(error).__name__}: {error}",
        Billed.UNKNOWN,
        alike_stops=_ALIKE,
        exit_code=ExitCode.BUG,
    )


def judge_response(error: "APIStatusError") -> Failure:
    """What to do about an answer with a status of 300 and above."""
    status, headers = error.status_code, error.response.headers
    message, code, kind = _error_fields(error)
    failure = _by_meaning(status, code, kind, message, error.param or "") or _by_status(status, message)
    failure = replace(
        failure,
        status=status,
        code=code or None,
        request_id=error.request_id,
        wait_s=server_wait_s(headers) if failure.action in (Action.RETRY, Action.THROTTLE) else None,
    )
    return _as_the_server_says(failure, headers.get("x-should-retry"))


def judge_not_a_completion(what: str) -> Failure:
    """A 200 that is no completion: a proxy's or a login page, broken JSON."""
    return Failure(
        "not_a_completion",
        Action.RETRY,
        f"the endpoint answered 200 with {what}",
        Billed.UNKNOWN,
        status=200,
        repeats=2,
        on_first=Action.STOP,
        alike_stops=_NO_COMPLETION_ALIKE,
    )


def judge_completion(completion: "Completion") -> Failure | None:
    """Whether an answer can be used at all, before its content is read; None where it can."""
    common: dict[str, Any] = {"billed": Billed.YES, "request_id": completion.request_id}
    match completion.finish_reason:
        case "length":
            return Failure("truncated", Action.REASK, "the answer was cut at the output limit", **common)
        case "content_filter":
            return Failure("filtered", Action.FAIL, "the provider's content filter held the answer back", **common)
        case "stop" | "eos" | "end_turn" | None:
            pass
        case other:
            return Failure("unusable", Action.FAIL, f"the answer ended with finish reason {other!r}", **common)
    if completion.refusal:
        return Failure("refusal", Action.FAIL, f"the model refused: {completion.refusal}", **common)
    if completion.has_tool_calls:
        return Failure("unusable", Action.FAIL, "the answer is a tool call", **common)
    if completion.content is None or not completion.content.strip():
        return Failure("empty", Action.REASK, "the answer is empty", **common)
    return None


def judge_invalid(why: str, request_id: str | None) -> Failure:
    """An answer whose content is not one of the task's labels with a confidence."""
    return Failure("invalid", Action.REASK, why, Billed.YES, request_id=request_id)


def _by_meaning(status: int, code: str, kind: str, message: str, parameter: str) -> Failure | None:
    """What the error's code, type and message say, whatever the status."""
    codes = {code.lower(), kind.lower()}
    text = message.lower()
    if status in (402, 403, 429) and (
        codes & _BILLING_CODES or code.endswith("_spend_limit_exceeded") or status == HTTPStatus.PAYMENT_REQUIRED
    ):
        return Failure("quota", Action.STOP, message)
    if status in (401, 403):
        return Failure("credentials", Action.STOP, message)
    if status == HTTPStatus.TOO_MANY_REQUESTS and "request too large" in text:
        return Failure("too_long", Action.FAIL, message)
    if status == HTTPStatus.TOO_MANY_REQUESTS and "resource_unavailable" in codes:
        return _no_capacity(message)
    if status not in (400, 404, 413, 422):
        return None
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or codes & _TOO_LONG_CODES or "maximum context length" in text:
        return Failure("too_long", Action.FAIL, message)
    if status == HTTPStatus.NOT_FOUND or codes & _MODEL_CODES or _names_an_unknown_model(text):
        return Failure("model_not_found", Action.STOP, message)
    if codes & _POLICY_CODES or "content management policy" in text:
        return Failure("filtered", Action.FAIL, message, Billed.UNKNOWN)
    if codes & _PARAMETER_CODES or _names_a_parameter(parameter, text):
        return Failure(
            "bad_parameter",
            Action.ADAPT,
            message,
            parameter=parameter,
            on_first=Action.STOP,
            alike_stops=_ALIKE,
        )
    return Failure("bad_request", Action.FAIL, message, Billed.UNKNOWN, alike_stops=_ALIKE)


def _by_status(status: int, message: str) -> Failure:
    match status:
        case 429:
            return Failure("rate_limit", Action.THROTTLE, message, slow_down=True, may_be_outage=True)
        case 498:
            return _no_capacity(message)
        case 503:
            return Failure("overloaded", Action.RETRY, message, slow_down=True, may_be_outage=True)
        case 408:
            return _timed_out(message)
        case 409:
            return Failure("conflict", Action.RETRY, message, Billed.UNKNOWN)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Failure("server_error", Action.RETRY, message, Billed.UNKNOWN, may_be_outage=True)
        case _ if 300 <= status < 400:  # noqa: PLR2004 - HTTP's redirects
            return Failure(
                "redirect",
                Action.STOP,
                f"the endpoint redirects elsewhere (HTTP {status}), which is not followed",
            )
        case _:
            return Failure("bad_request", Action.FAIL, message, Billed.UNKNOWN, alike_stops=_ALIKE)


def _timed_out(message: str) -> Failure:
    return Failure("timeout", Action.RETRY, message, Billed.UNKNOWN, slow_down=True, may_be_outage=True)


def _no_capacity(message: str) -> Failure:
    """A tier without guarantees has nothing free at the moment; others may be served, so nobody else waits."""
    return Failure(
        "overloaded", Action.THROTTLE, message, slow_down=True, may_be_outage=True, patience=_NO_CAPACITY_PATIENCE
    )


def _as_the_server_says(failure: Failure, should_retry: str | None) -> Failure:
    """Obey `x-should-retry: false` always, `true` only where a repeat can do no harm."""
    repeats = failure.action in (Action.RETRY, Action.THROTTLE)
    if should_retry == "false" and repeats:
        return replace(failure, action=Action.FAIL, alike_stops=_ALIKE)
    status = failure.status or 0
    if (
        should_retry == "true"
        and failure.action is Action.FAIL
        and (status in (408, 409, 429) or status >= HTTPStatus.INTERNAL_SERVER_ERROR)
    ):
        return replace(failure, action=Action.RETRY)
    return failure


def _judge_connection(error: BaseException) -> Failure:
    """Tell refused from lost, which the SDK's own classes blur: its aiohttp transport calls both a time-out."""
    import aiohttp  # noqa: PLC0415 - heavy, and loaded by then

    chain = list(_causes(error))
    roots = [e for e in chain if isinstance(e, aiohttp.ClientError | ssl.SSLError | TimeoutError)]
    root = roots[-1] if roots else chain[-1]
    detail = f"{type(root).__name__}: {root}" if str(root) else type(root).__name__
    if any(isinstance(e, ssl.SSLError | aiohttp.ClientConnectorCertificateError) for e in chain):
        return Failure("tls", Action.STOP, f"the endpoint's TLS certificate is not accepted ({detail})")
    if any(isinstance(e, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError) for e in chain):
        return Failure("bad_url", Action.STOP, "the endpoint's URL cannot be used", exit_code=ExitCode.USAGE)
    if any(isinstance(e, aiohttp.ClientConnectorError) for e in chain):
        return Failure("connection", Action.RETRY, detail, may_be_outage=True)
    if any(isinstance(e, TimeoutError) for e in chain):
        return _timed_out(detail)
    lost = f"the connection was lost ({detail})"
    return Failure("connection", Action.RETRY, lost, Billed.UNKNOWN, may_be_outage=True)


def _is_transport_error(error: BaseException) -> bool:
    """Errors of the transport that pass through the SDK unwrapped."""
    import aiohttp  # noqa: PLC0415
    import httpx2  # noqa: PLC0415

    return isinstance(error, aiohttp.ClientError | httpx2.TransportError | httpx2.DecodingError | ConnectionError)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _error_fields(error: "APIStatusError") -> tuple[str, str, str]:
    """(message, code, type) out of the shapes that makers give an error body."""
    body = error.body
    if isinstance(body, Mapping):
        message = _first_string(body.get("message"), body.get("detail"), body.get("error"))
        code = body.get("code")
        inner = body.get("innererror")
        if isinstance(inner, Mapping) and isinstance(inner.get("code"), str):
            code = inner["code"]  # Azure names the policy here, and only "400" or "content_filter" outside
        return (
            message or f"HTTP {error.status_code}",
            "" if code is None else str(code),
            _first_string(body.get("type")),
        )
    if isinstance(body, str) and body.strip() and not body.lstrip().startswith("<"):
        return body.strip(), "", ""
    return f"HTTP {error.status_code}" + (" with an HTML page" if isinstance(body, str) else ""), "", ""


def _first_string(*candidates: object) -> str:
    return next((c for c in candidates if isinstance(c, str) and c), "")


def _names_an_unknown_model(text: str) -> bool:
    return "model" in text and any(
        phrase in text
        for phrase in (
            "does not exist",
            "is not supported. supported models",
            "not a valid model",
            "not found",
        )
    )


def _names_a_parameter(parameter: str, text: str) -> bool:
    if parameter.startswith(("messages", "input")) and "prompt_cache" not in f"{parameter} {text}":
        return False  # the row's own content is refused, not a setting of ours
    return bool(parameter) or any(
        phrase in text
        for phrase in (
            "unsupported",
            "not supported",
            "response_format",
            "json_schema",
            "extra inputs",
            "unrecognized",
        )
    )
