"""A raw response from any client, read as a completion or a failure."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from msgspec import Struct

from llmbatch.provider.completion import Completion, ErrorInAnswerError, NotACompletionError
from llmbatch.provider.dialect import Dialect
from llmbatch.provider.failures import RequestFailedError
from llmbatch.provider.judge import judge_not_a_completion, judge_report

_FIRST_REFUSAL = 300
"""Statuses from here on are failures, including redirects, which would send the document and the key elsewhere."""


class Response(Struct, frozen=True, gc=False):
    """A response: any status, headers with lower-case names, the decompressed body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Response({self.status})"


def read_response(response: Response, dialect: Dialect) -> Completion:
    """Read the completion in a response. It is unredacted: it may still contain an echo of our key.

    Raises:
        RequestFailedError: there is none; the failure is classified.
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
