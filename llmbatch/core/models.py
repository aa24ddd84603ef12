"""What each known model accepts, in one table.

Sources: for parameters the installed SDK's own documentation (`openai/types/chat/completion_create_params.py`), for
prompt caching OpenAI's guide "Prompt caching", for windows OpenAI's "Models". The table is checked against the SDK's
list of models and the price library's windows by tests/provider/test_profile.py. Models not in the table get the most
common request form, and another one if that is rejected (`shape.py`).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class OutputMode(StrEnum):
    """How strictly the answer's form is enforced, from strictest to loosest."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class PromptCaching:
    """How a provider caches prompt prefixes to charge less for them when they recur."""

    floor_tokens: int = 1024
    """Shorter prefixes are not cached."""
    step_tokens: int = 128
    """Cached prefixes end at a multiple of this; 1 if they end exactly where the request marks."""
    ttl_s: float = 300.0
    """Minimum lifetime of an entry after its last use, in seconds."""
    breakpoints: bool = False
    """Requests mark where the stable prefix ends, and nothing unmarked is cached. Writing costs more than plain input.
    Without marks, the whole prompt including the document would be written for every row."""

    def cached_tokens(self, prefix_tokens: int) -> int:
        """How many tokens of a prefix of this length are cached."""
        return prefix_tokens - prefix_tokens % self.step_tokens if prefix_tokens >= self.floor_tokens else 0


AUTOMATIC_CACHING = PromptCaching()
MARKED_CACHING = PromptCaching(step_tokens=1, ttl_s=1800.0, breakpoints=True)
NO_CACHING = PromptCaching(floor_tokens=1 << 40)
"""Known not to cache prompts of any length."""


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """What one family of models accepts."""

    limit_parameter: str = "max_tokens"
    """The parameter that limits the answer's length."""
    reasoning_effort: str | None = None
    """The lowest reasoning effort it accepts, since classification should not pay for reasoning; None if it has
    none."""
    temperature: float | None = 0.0
    """The temperature to send by default; None if only the model's own default is accepted."""
    logprobs: bool = False
    """Whether it returns log-probabilities of the answer's tokens when it does not reason first."""
    output: OutputMode = OutputMode.JSON_SCHEMA
    """The strictest output mode it supports."""
    caching: PromptCaching | None = None
    """None if it is unknown whether and how prompts are cached."""
    cache_key: bool = False
    """Whether it accepts `prompt_cache_key`, which routes a run's requests to the same cache."""
    context_window: int | None = None
    """Context window: tokens of prompt and answer together; None if unknown."""


UNKNOWN = ModelProfile(logprobs=True)
"""The default for unknown models requests log-probabilities; if they are rejected, that costs one request."""


def profile_of(model: str) -> ModelProfile:
    """Look up a model's profile by its name; a router's prefix (`openai/gpt-6-luna`) is ignored."""
    bare = model.rsplit("/", 1)[-1].lower()
    return next((profile for pattern, profile in _FAMILIES if pattern.match(bare)), UNKNOWN)


def caching_of(model: str, dialect: str) -> PromptCaching | None:
    """How a model's prompts are cached over a wire protocol; None if unknown.

    Claude caches what a request marks, and only Anthropic's own protocol has the mark.
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
"""Anthropic, "Prompt caching" (2026-02); for Sonnet 4.6, as measured in anthropic-sdk-python 1194."""


@lru_cache(maxsize=256)
def is_same_model(asked: str, answered: str) -> bool:
    """Whether an answer names the requested model, however the endpoint spells it.

    A router's prefix and variant (`openai/gpt-6-luna:free`), a date or number of the version, and `-latest` do not make
    a different model; a size or a kind does (`gpt-4o-mini` is not `gpt-4o`).
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
        logprobs=effort in (None, "none"),  # OpenAI, "Using GPT-5.2": only if it does not reason first
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
