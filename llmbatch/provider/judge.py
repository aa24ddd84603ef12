"""Classifies every error response and decides on the action, in one place for everything that speaks HTTP.

Independent of any SDK: the input is a status with headers and a body, whatever its source (a request, the error in an
answer with status 200, a line of a batch file, a proxy's page). First by what the body says (`wordings.toml`), then by
`x-should-retry`, then by the status. The rules and their sources are in docs/reference/failures.md.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus

from llmbatch.core.errors import ExitCode
from llmbatch.provider.error_body import ErrorReport, read_error
from llmbatch.provider.failures import Action, Billed, Failure
from llmbatch.provider.waits import server_wait_s, wait_in_text_s
from llmbatch.provider.wordings import Meaning, is_refusal, parameters_named, wording_of

_ALIKE = 5
"""Rows that may fail in succession in the same unknown way before the run stops."""
_REFUSED_ALIKE = 3
_NO_COMPLETION_ALIKE = 10
_NO_CAPACITY_PATIENCE = 4.0
_WINDOW = re.compile(
    r"(?:available context size \("
    r"|context (?:length|window|size|limit)(?: (?:is|of|to|exceeded))?:? (?:only )?\(?"
    r"|maximum number of (?:input )?tokens allowed \("
    r"|max_model_len ?[=:(]? ?"
    r"|(?:tokens?|length) (?:limit|maximum) (?:is|of) "
    r"|tokens > "
    r"|max_new_tokens`? must be <= "
    r"|input length should be \[\d+, )(\d[\d,]{2,9})"
    r"|(\d[\d,]{2,9}) (?:tokens? )?maximum context"
)
_LEAST_WINDOW = 256


def judge(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """Classify an error response and decide on the action.

    Args:
        status: the HTTP status.
        headers: with lower-case names.
        body: the raw body.
    """
    return judge_report(status, headers, read_error(body))


def judge_report(status: int, headers: Mapping[str, str], report: ErrorReport) -> Failure:
    """Classify an error whose body has been read; an error in a 200 is judged by the status that it states."""
    if status == HTTPStatus.OK and report.status is not None:
        status = report.status
    message, request_id = report.message or f"HTTP {status}", headers.get("x-request-id")
    failure = _by_meaning(status, report, message) or _by_status(status, message)
    if failure.action in (Action.RETRY, Action.THROTTLE):
        failure = replace(failure, wait_s=_wait_s(headers, report))
    failure = _with_place(failure, status, report.code, request_id)
    if failure.once_working is not None:
        failure = replace(failure, once_working=_with_place(failure.once_working, status, report.code, request_id))
    return _as_the_server_says(failure, headers.get("x-should-retry"))


def judge_not_a_completion(what: str) -> Failure:
    """A 200 that is not a completion: a proxy's page, a login page, broken JSON."""
    failure = Failure(
        "not_a_completion",
        Action.RETRY,
        f"the endpoint returned 200 with {what}",
        Billed.UNKNOWN,
        status=200,
        repeats=2,
        alike_stops=_NO_COMPLETION_ALIKE,
    )
    return replace(failure, action=Action.STOP, once_working=failure)


def judge_unexpected(error: BaseException) -> Failure:
    """A bug in llmbatch: it fails its row, and five of the same stop the run."""
    return Failure(
        "unexpected",
        Action.FAIL,
        f"{type(error).__name__}: {error}",
        Billed.UNKNOWN,
        alike_stops=_ALIKE,
        exit_code=ExitCode.BUG,
    )


def timed_out(message: str) -> Failure:
    """No complete answer in time."""
    return Failure("timeout", Action.RETRY, message, Billed.UNKNOWN, slow_down=True, may_be_outage=True)


def _by_meaning(status: int, report: ErrorReport, message: str) -> Failure | None:
    """Classify by what the body says, whatever the status."""
    wording = wording_of(report.text, status)
    if wording is not None and wording.meaning is not Meaning.PARAMETER:
        return _BY_MEANING[wording.meaning](status, report, message)
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return _quota(status, report, message)
    if wording is not None:
        return _refused_parameter(message, wording.parameter)
    named = parameters_named(report.text) if status in _PARAMETER_STATUSES else []
    if named and (report.parameter or is_refusal(report.text)):
        return _refused_parameter(message, named[0])
    if status in (400, 422) and report.parameter and not report.parameter.startswith(("messages", "input", "prompt")):
        return _refused_parameter(message, report.parameter)
    if status in (400, 422) and _UNNAMED_PARAMETER.search(report.text):
        return _refused_parameter(message, "")
    return None


_PARAMETER_STATUSES = frozenset({200, 400, 404, 405, 406, 422, 500, 501})
_UNNAMED_PARAMETER = re.compile(
    r"\[(?:unsupported_parameter|unsupported_value|unknown_parameter|invalid_json_schema|extra_forbidden)\]"
    r"|unsupportedparams|unsupported parameter|not support.{0,20}param|extra inputs"
    r"|(?:unrecognized|unknown) (?:request )?(?:argument|parameter|field|key|name)"
)


def _quota(_: int, __: ErrorReport, message: str) -> Failure:
    return Failure("quota", Action.STOP, message)


def _filtered(_: int, __: ErrorReport, message: str) -> Failure:
    return Failure("filtered", Action.FAIL, message, Billed.UNKNOWN)


def _too_long(_: int, report: ErrorReport, message: str) -> Failure:
    return Failure("too_long", Action.FAIL, message, window=report.window or _stated_window(report.text))


def _no_capacity(_: int, __: ErrorReport, message: str) -> Failure:
    """A best-effort tier has no capacity at the moment; others may be served, so no other row waits."""
    return Failure(
        "overloaded",
        Action.THROTTLE,
        message,
        slow_down=True,
        may_be_outage=True,
        patience=_NO_CAPACITY_PATIENCE,
        is_without_capacity=True,
    )


def _rate_limit(_: int, __: ErrorReport, message: str) -> Failure:
    return Failure("rate_limit", Action.THROTTLE, message, slow_down=True, may_be_outage=True)


def _loading(_: int, __: ErrorReport, message: str) -> Failure:
    return Failure("loading", Action.RETRY, message, may_be_outage=True, nobody_served=True)


def _overloaded(status: int, _: ErrorReport, message: str) -> Failure:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Failure("rate_limit", Action.THROTTLE, message, slow_down=True, may_be_outage=True)
    return Failure("overloaded", Action.RETRY, message, slow_down=True, may_be_outage=True)


def _unknown_model(_: int, __: ErrorReport, message: str) -> Failure:
    return Failure("model_not_found", Action.STOP, message)


def _credentials(_: int, __: ErrorReport, message: str) -> Failure:
    return Failure("credentials", Action.STOP, message, once_working=_refused(message))


def _bad_answer(_: int, __: ErrorReport, message: str) -> Failure:
    """The server itself reports that the model's answer violated the schema."""
    return Failure("invalid", Action.REASK, message, Billed.UNKNOWN)


def _refused(message: str) -> Failure:
    """One row fails while others are served: a firewall's page, one bad back end of many."""
    return Failure("refused", Action.RETRY, message, repeats=1, alike_stops=_REFUSED_ALIKE)


def _refused_parameter(message: str, parameter: str) -> Failure:
    """A shape that has worked is not abandoned for one row; another back end may accept it."""
    accepted_before = Failure("bad_parameter", Action.RETRY, message, repeats=1, alike_stops=_ALIKE)
    return Failure("bad_parameter", Action.ADAPT, message, parameter=parameter, once_working=accepted_before)


_BY_MEANING: Mapping[Meaning, Callable[[int, ErrorReport, str], Failure]] = {
    Meaning.QUOTA: _quota,
    Meaning.FILTERED: _filtered,
    Meaning.TOO_LONG: _too_long,
    Meaning.NO_CAPACITY: _no_capacity,
    Meaning.RATE_LIMIT: _rate_limit,
    Meaning.LOADING: _loading,
    Meaning.OVERLOADED: _overloaded,
    Meaning.MODEL: _unknown_model,
    Meaning.CREDENTIALS: _credentials,
    Meaning.BAD_ANSWER: _bad_answer,
}


def _by_status(status: int, message: str) -> Failure:
    meaning = _MEANING_BY_STATUS.get(status)
    if meaning is not None:
        return _BY_MEANING[meaning](status, ErrorReport(), message)
    match status:
        case 404 | 405:
            return Failure("model_not_found", Action.STOP, message, once_working=_refused(message))
        case 408:
            return timed_out(message)
        case 409 | 421 | 424 | 425 | 430 | 499:
            return Failure("conflict", Action.RETRY, message, Billed.UNKNOWN)
        case _ if status == HTTPStatus.OK or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Failure("server_error", Action.RETRY, message, Billed.UNKNOWN, may_be_outage=True)
        case _ if 300 <= status < 400:  # noqa: PLR2004 - HTTP's redirects
            return Failure(
                "redirect", Action.STOP, f"the endpoint redirects elsewhere (HTTP {status}), which is not followed"
            )
        case _:
            return Failure("bad_request", Action.FAIL, message, Billed.UNKNOWN, alike_stops=_ALIKE)


_MEANING_BY_STATUS = {
    401: Meaning.CREDENTIALS,
    403: Meaning.CREDENTIALS,
    407: Meaning.CREDENTIALS,
    413: Meaning.TOO_LONG,
    429: Meaning.RATE_LIMIT,
    451: Meaning.FILTERED,
    498: Meaning.NO_CAPACITY,
    503: Meaning.OVERLOADED,
}


def _with_place(failure: Failure, status: int, code: str | None, request_id: str | None) -> Failure:
    return replace(failure, status=status, code=code, request_id=request_id)


def _wait_s(headers: Mapping[str, str], report: ErrorReport) -> float | None:
    wait_s = server_wait_s(headers)
    return wait_in_text_s(report.text) if wait_s is None else wait_s


def _stated_window(text: str) -> int | None:
    """The model's context window in tokens, if an error's text states it."""
    found = (int((match[1] or match[2]).replace(",", "")) for match in _WINDOW.finditer(text))
    return next((tokens for tokens in found if tokens >= _LEAST_WINDOW), None)


def _as_the_server_says(failure: Failure, should_retry: str | None) -> Failure:
    """Obey `x-should-retry: false` always, `true` only if a retry can do no harm."""
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
