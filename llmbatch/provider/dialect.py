"""The seam between the run and a wire: all that differs where an endpoint speaks another protocol.

The run knows requests as bytes, answers as `Completion` and refusals as `Failure`. How these look on the wire is a
dialect's business. OpenAI's chat completions is the first; makers that speak it in their own way differ in data only
(`wordings.toml`, `finish.py`, `thinking.py`), not in code.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from llmbatch.provider.completion import Completion, decode_completion
from llmbatch.provider.failures import Failure
from llmbatch.provider.finish import judge_completion
from llmbatch.provider.judge import judge
from llmbatch.provider.limits import StatedLimit, stated_limits
from llmbatch.provider.request import Question, RequestEncoder
from llmbatch.provider.shape import RequestShape, adapted


class Encoder(Protocol):
    """Turns documents into request bodies of one question."""

    def encode(self, text: str, shape: RequestShape) -> bytes:
        """The body that asks about `text`."""
        ...


class Dialect(Protocol):
    """One wire protocol."""

    @property
    def encoder(self) -> Callable[[Question], Encoder]:
        """Makes the encoder of a question."""
        ...

    @property
    def decode(self) -> Callable[[bytes, Mapping[str, str]], Completion]:
        """Reads the body and headers of an answer with status 200.

        It raises NotACompletionError or ErrorInAnswerError where the body is no answer.
        """
        ...

    @property
    def judge(self) -> Callable[[int, Mapping[str, str], bytes], Failure]:
        """Says what to do about a refusal, by status, headers and body."""
        ...

    @property
    def judge_answer(self) -> Callable[[Completion], Failure | None]:
        """Says whether an answer can be used at all, by its finish reason and what it holds."""
        ...

    @property
    def limits(self) -> Callable[[Mapping[str, str]], tuple[StatedLimit, ...]]:
        """Reads the limits that headers state."""
        ...

    @property
    def fallback(self) -> Callable[[RequestShape, str, str], RequestShape | None]:
        """Gives the next request form after a parameter was refused: by the form, the parameter, and the message."""
        ...

    def path(self, model: str, *, deployment: bool) -> str:
        """Where requests go, below the base URL. Azure's older URLs name the model as a deployment there."""
        ...


@dataclass(frozen=True, slots=True)
class ChatCompletions:
    """OpenAI's chat completions, as all makers speak it."""

    encoder: Callable[[Question], Encoder] = RequestEncoder
    decode: Callable[[bytes, Mapping[str, str]], Completion] = decode_completion
    judge: Callable[[int, Mapping[str, str], bytes], Failure] = judge
    judge_answer: Callable[[Completion], Failure | None] = judge_completion
    limits: Callable[[Mapping[str, str]], tuple[StatedLimit, ...]] = stated_limits
    fallback: Callable[[RequestShape, str, str], RequestShape | None] = adapted

    def path(self, model: str, *, deployment: bool) -> str:
        """Where requests go, below the base URL."""
        return f"/deployments/{quote(model, safe='')}/chat/completions" if deployment else "/chat/completions"


CHAT_COMPLETIONS: Dialect = ChatCompletions()
