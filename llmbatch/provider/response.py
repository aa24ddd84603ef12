"""A response as it came over the wire, by whatever client, and what it is: a completion or a failure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from llmbatch.provider.completion import Completion, ErrorInAnswerError, NotACompletionError
from llmbatch.provider.dialect import Dialect
from llmbatch.provider.failures import RequestFailedError
from llmbatch.provider.judge import judge_not_a_completion, judge_report

_FIRST_REFUSAL = 300
"""Statuses from here on are no answer: not a redirect either, which would lead the document and the key elsewhere."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: any status, headers by their names in lower case, the body unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def read_response(response: Response, dialect: Dialect) -> Completion:
    """The completion that a response in some dialect holds, as the server sent it: an echo of our key is still in it.

    Raises:
        RequestFailedError: it holds none, with what to do about it.
    """
    try:
        if response.status < _FIRST_REFUSAL:
            return dialect.decode(response.body, response.headers)
    except ErrorInAnswerError as error:
        raise RequestFailedError(judge_report(HTTPStatus.OK, response.headers, error.report)) from None
    except NotACompletionError as error:
        failure = replace(judge_not_a_completion(str(error)), request_id=response.headers.get("x-request-id"))
        raise RequestFailedError(failure) from None
    raise RequestFailedError(dialect.judge(response.status, response.headers, response.body))
