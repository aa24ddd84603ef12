"""What models take: the facts about known ones, in one table.

Sources: for parameters the installed SDK's own documentation (`openai/types/chat/completion_create_params.py`), for
prompt caching OpenAI's guide "Prompt caching", for windows OpenAI's "Models". The table is checked against the SDK's
list of models and the price library's windows by tests/provider/test_profile.py. What is not in it is asked for in the
commonest way, and in another one where that is refused (`shape.py`).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class OutputMode(StrEnum):
    """How the answer's form is asked for, from the tightest to the loosest."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class PromptCaching:
    """How a provider keeps the beginnings of prompts, to charge less for them when they come again."""

    floor_tokens: int = 1024
    """Shorter beginnings are not kept."""
    step_tokens: int = 128
    """What is kept ends at a multiple of this; 1 where it ends exactly where the request says."""
    ttl_s: float = 300.0
    """Seconds for which an entry lives after its last use, at least."""
    breakpoints: bool = False
    """Requests mark where the stable beginning ends, and nothing is kept that is not marked. Writing costs more than
    plain input. Without marks the whole prompt would be written, the document included, for every row."""

    def cached_tokens(self, prefix_tokens: int) -> int:
        """How much of a beginning of so many tokens is kept."""
        return prefix_tokens - prefix_tokens % self.step_tokens if prefix_tokens >= self.floor_tokens else 0


AUTOMATIC_CACHING = PromptCaching()
MARKED_CACHING = PromptCaching(step_tokens=1, ttl_s=1800.0, breakpoints=True)
NO_CACHING = PromptCaching(floor_tokens=1 << 40)
"""Known not to be kept, whatever its length."""


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """What one family of models takes."""

    limit_parameter: str = "max_tokens"
    """Which parameter limits the answer's length."""
    reasoning_effort: str | None = None
    """The lowest effort that it takes, since classification must not pay for thinking; None where it takes none."""
    temperature: float | None = 0.0
    """What to send where the user says nothing; None where only the model's own default is taken."""
    logprobs: bool = False
    """Whether it gives log-probabilities of the answer's tokens, where it does not think first."""
    output: OutputMode = OutputMode.JSON_SCHEMA
    """The tightest form of answer that it can be held to."""
    caching: PromptCaching | None = None
    """None where it is not known whether and how prompts are cached."""
    cache_key: bool = False
    """Takes `prompt_cache_key`, by which a run's requests meet on the same cache."""
    context_window: int | None = None
    """Tokens of prompt and answer together; None where not known."""


UNKNOWN = ModelProfile(logprobs=True)
"""Log-probabilities are asked for: where they are refused, that costs one request."""


def profile_of(model: str) -> ModelProfile:
    """What is known of a model by its name; a router's prefix (`openai/gpt-6-luna`) does not matter."""
    bare = model.rsplit("/", 1)[-1].lower()
    return next((profile for pattern, profile in _FAMILIES if pattern.match(bare)), UNKNOWN)


def caching_of(model: str, dialect: str) -> PromptCaching | None:
    """How a model's prompts are cached, asked by a wire protocol; None where that is not known.

    Claude keeps what a request marks, and only Anthropic's own protocol has the mark.
    """
    bare = model.rsplit("/", 1)[-1].lower()
    if not bare.startswith("claude"):
        return profile_of(model).caching
    if dialect != ANTHROPIC_MESSAGES:
        return NO_CACHING
    floor_tokens = next((floor for pattern, floor in _CLAUDE_FLOORS if pattern.match(bare)), _CLAUDE_FLOOR)
    return PromptCaching(floor_tokens=floor_tokens, step_tokens=1, ttl_s=300.0, breakpoints=True)


ANTHROPIC_MESSAGES = "anthropic-messages"
_CLAUDE_FLOOR = 1024
_CLAUDE_FLOORS = (
    (re.compile(r"claude-(opus-4[-.][56]|haiku-4[-.]5)"), 4096),
    (re.compile(r"claude-(sonnet-4[-.]6|opus-4[-.]7|haiku-3|3-haiku|3[-.]5-haiku)"), 2048),
)
"""Anthropic, "Prompt caching" (2026-02); for Sonnet 4.6 what anthropic-sdk-python 1194 measured."""


@lru_cache(maxsize=256)
def is_same_model(asked: str, answered: str) -> bool:
    """Whether an answer names the model that was asked, in whatever way endpoints spell it.

    A router's prefix and variant (`openai/gpt-6-luna:free`), a date or number of the version, and `-latest` make no
    other model; a size or a kind does (`gpt-4o-mini` is not `gpt-4o`).
    """
    names = [_LATEST.sub("", name.rsplit("/", 1)[-1].lower().partition(":")[0]) for name in (asked, answered)]
    shorter, longer = sorted(names, key=len)
    return longer.startswith(shorter) and _VERSION.fullmatch(longer[len(shorter) :]) is not None


_LATEST = re.compile(r"-(latest|preview)$")
_VERSION = re.compile(r"(-(?=\d{3,}|\d\d-)\d[\d-]*)?(-preview)?")


def _thinking(effort: str | None, window: int, caching: PromptCaching = AUTOMATIC_CACHING) -> ModelProfile:
    return ModelProfile(
        limit_parameter="max_completion_tokens",
        reasoning_effort=effort,
        temperature=None,
        logprobs=effort in (None, "none"),  # OpenAI, "Using GPT-5.2": only where it does not think first
        caching=caching,
        cache_key=True,
        context_window=window,
    )


def _plain(window: int) -> ModelProfile:
    return ModelProfile(
        limit_parameter="max_completion_tokens",
        logprobs=True,
        caching=AUTOMATIC_CACHING,
        cache_key=True,
        context_window=window,
    )


# First match wins.
_FAMILIES = tuple(
    (re.compile(pattern), profile)
    for pattern, profile in (
        (r"gpt-[5-9][\d.]*-chat", _thinking(None, 128_000)),
        (r"gpt-(5\.[6-9]|[6-9])", _thinking("none", 1_050_000, MARKED_CACHING)),
        (r"gpt-5\.4-(mini|nano)", _thinking("none", 400_000)),
        (r"gpt-5\.5", _thinking("none", 1_000_000)),
        (r"gpt-5\.4", _thinking("none", 1_050_000)),
        (r"gpt-5\.\d", _thinking("none", 400_000)),
        (r"gpt-5", _thinking("minimal", 400_000)),
        (r"o1-(mini|preview)", _thinking("low", 128_000)),
        (r"o\d", _thinking("low", 200_000)),
        (r"gpt-4\.1", _plain(1_000_000)),
        (r"(chatgpt-)?gpt-4(o|\.\d)", _plain(128_000)),
    )
)
