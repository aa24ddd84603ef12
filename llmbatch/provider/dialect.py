"""The interface between the run and the wire protocol: everything that differs between protocols.

The run knows requests as bytes, answers as `Completion` and refusals as `Failure`. A dialect defines how these look on
the wire. Nearly all endpoints speak OpenAI's chat completions; vendors' variations are covered by data
(`wordings.toml`, `finish.py`, `thinking.py`), not code. Other packages can provide further dialects (`plugged.py`).
"""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote

from llmbatch.core import defaults
from llmbatch.provider.completion import Completion, decode_completion
from llmbatch.provider.failures import Failure
from llmbatch.provider.finish import judge_completion
from llmbatch.provider.judge import judge
from llmbatch.provider.limits import StatedLimit, stated_limits
from llmbatch.provider.request import Question, RequestEncoder
from llmbatch.provider.shape import RequestShape, adapted


class Encoder(Protocol):
    """Turns documents into request bodies for one question."""

    def encode(self, text: str, shape: RequestShape, *, before: str = "") -> bytes:
        """The request body for `text`, preceded by `before` in the same message."""


class Dialect(Protocol):
    """One wire protocol."""

    @property
    def name(self) -> str:
        """Its name for `--dialect`."""

    @property
    def base_url(self) -> str | None:
        """The protocol vendor's own URL; None if the user must give one."""

    @property
    def key_variable(self) -> str:
        """The environment variable with the API key."""

    def path(self, model: str, *, deployment: bool) -> str:
        """Where requests go, below the base URL. Azure's older URLs name the model as a deployment there."""

    def headers(self, api_key: str) -> Mapping[str, str] | None:
        """The headers that carry the API key, and others of the protocol; None for OpenAI's own."""

    def encoder(self, question: Question) -> Encoder:
        """The encoder of a question."""

    def decode(self, body: bytes, headers: Mapping[str, str]) -> Completion:
        """Read the body and headers of an answer with status 200; headers are looked up in lower case.

        Raises:
            NotACompletionError: it is not an answer.
            ErrorInAnswerError: it contains an error.
        """

    def judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """Classify an error response."""

    def judge_answer(self, completion: Completion) -> Failure | None:
        """The failure of an answer that cannot be used, by its finish reason and content; None if it can."""

    def limits(self, headers: Mapping[str, str]) -> tuple[StatedLimit, ...]:
        """The limits that an answer's headers state."""

    def fallback(self, shape: RequestShape, parameter: str, message: str) -> RequestShape | None:
        """The next request shape to try after a parameter was rejected; None if none is left."""


class ChatCompletions:
    """OpenAI's chat completions in all vendors' variations, and what other protocols have in common with it."""

    name = defaults.DIALECT
    base_url: str | None = None
    key_variable = "OPENAI_API_KEY"

    def path(self, model: str, *, deployment: bool) -> str:
        """Where requests go, below the base URL."""
        return f"/deployments/{quote(model, safe='')}/chat/completions" if deployment else "/chat/completions"

    def headers(self, api_key: str) -> Mapping[str, str] | None:  # noqa: ARG002 - the SDK already has it
        """The SDK's own."""
        return None

    def encoder(self, question: Question) -> Encoder:
        """JSON with messages."""
        return RequestEncoder(question)

    def decode(self, body: bytes, headers: Mapping[str, str]) -> Completion:
        """JSON with choices."""
        return decode_completion(body, headers)

    def judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """Classify by the table of all vendors' wordings."""
        return judge(status, headers, body)

    def judge_answer(self, completion: Completion) -> Failure | None:
        """Judge by the table of all vendors' finish reasons."""
        return judge_completion(completion)

    def limits(self, headers: Mapping[str, str]) -> tuple[StatedLimit, ...]:
        """Read the headers in all vendors' forms."""
        return stated_limits(headers)

    def fallback(self, shape: RequestShape, parameter: str, message: str) -> RequestShape | None:
        """Try the cheapest change first."""
        return adapted(shape, parameter, message)


CHAT_COMPLETIONS: Dialect = ChatCompletions()
