"""The seam between the run and a wire: all that differs where an endpoint speaks another protocol.

The run knows requests as bytes, answers as `Completion` and refusals as `Failure`. How these look on the wire is a
dialect's business. OpenAI's chat completions is what nearly all speak; makers that do it in their own way differ in
data only (`wordings.toml`, `finish.py`, `thinking.py`), not in code. Other packages bring others (`plugged.py`).
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
    """Turns documents into request bodies of one question."""

    def encode(self, text: str, shape: RequestShape, *, before: str = "") -> bytes:
        """The body that asks about `text`, with what stands before it in the same message."""


class Dialect(Protocol):
    """One wire protocol."""

    @property
    def name(self) -> str:
        """As `--dialect` says it."""

    @property
    def base_url(self) -> str | None:
        """Of the protocol's own maker; None where the user has to name one."""

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
            NotACompletionError: it is no answer.
            ErrorInAnswerError: it holds an error.
        """

    def judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """What to do about a refusal."""

    def judge_answer(self, completion: Completion) -> Failure | None:
        """Whether an answer can be used at all, by its finish reason and what it holds; None where it can."""

    def limits(self, headers: Mapping[str, str]) -> tuple[StatedLimit, ...]:
        """The limits that an answer's headers state."""

    def fallback(self, shape: RequestShape, parameter: str, message: str) -> RequestShape | None:
        """The next form of a request after one was refused for a parameter; None where none is left."""


class ChatCompletions:
    """OpenAI's chat completions, as all makers speak it; and what other protocols do in the same way."""

    name = defaults.DIALECT
    base_url: str | None = None
    key_variable = "OPENAI_API_KEY"

    def path(self, model: str, *, deployment: bool) -> str:
        """Where requests go, below the base URL."""
        return f"/deployments/{quote(model, safe='')}/chat/completions" if deployment else "/chat/completions"

    def headers(self, api_key: str) -> Mapping[str, str] | None:  # noqa: ARG002 - the SDK has been given it
        """The SDK's own."""
        return None

    def encoder(self, question: Question) -> Encoder:
        """JSON with messages."""
        return RequestEncoder(question)

    def decode(self, body: bytes, headers: Mapping[str, str]) -> Completion:
        """JSON with choices."""
        return decode_completion(body, headers)

    def judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """By the table of all makers' wordings."""
        return judge(status, headers, body)

    def judge_answer(self, completion: Completion) -> Failure | None:
        """By the table of all makers' finish reasons."""
        return judge_completion(completion)

    def limits(self, headers: Mapping[str, str]) -> tuple[StatedLimit, ...]:
        """In all makers' forms."""
        return stated_limits(headers)

    def fallback(self, shape: RequestShape, parameter: str, message: str) -> RequestShape | None:
        """What costs least first."""
        return adapted(shape, parameter, message)


CHAT_COMPLETIONS: Dialect = ChatCompletions()
