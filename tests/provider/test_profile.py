"""Each model gets its own parameters, and parameters that an endpoint refuses are replaced or left out."""

import importlib
import inspect
import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from genai_prices.data_snapshot import get_snapshot
from openai.types.chat import ChatCompletionContentPartTextParam
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming, PromptCacheOptions
from openai.types.shared import ChatModel

from llmbatch.core.models import OutputMode, caching_of, is_same_model, profile_of
from llmbatch.core.prices import find_price
from llmbatch.provider.shape import RequestShape, adapted, initial_shape


@pytest.mark.parametrize(
    ("model", "limit", "effort", "temperature"),
    [
        ("gpt-6-luna", "max_completion_tokens", "none", None),
        ("openai/gpt-6-luna", "max_completion_tokens", "none", None),
        ("gpt-5.4-mini", "max_completion_tokens", "none", None),
        ("gpt-5-nano", "max_completion_tokens", "minimal", None),
        ("gpt-5-chat-latest", "max_completion_tokens", None, None),
        ("o4-mini", "max_completion_tokens", "low", None),
        ("gpt-4o-mini", "max_completion_tokens", None, 0.0),
        ("gpt-4.1", "max_completion_tokens", None, 0.0),
        ("gpt-4-turbo", "max_tokens", None, 0.0),
        ("llama-3.3-70b", "max_tokens", None, 0.0),
    ],
)
def test_each_model_gets_its_own_parameters(
    model: str, limit: str, effort: str | None, temperature: float | None
) -> None:
    shape = initial_shape(model, answer_tokens=30)
    assert (limit, effort, temperature) == (shape.limit_parameter, shape.reasoning_effort, shape.temperature)


def test_a_model_that_always_thinks_gets_room_for_it() -> None:
    assert initial_shape("gpt-6-luna", answer_tokens=30).max_output_tokens == 30
    assert initial_shape("o4-mini", answer_tokens=30).max_output_tokens > 1000


def test_the_users_settings_take_precedence() -> None:
    shape = initial_shape("gpt-6-luna", answer_tokens=30, temperature=0.3, reasoning_effort="high")
    assert (0.3, "high") == (shape.temperature, shape.reasoning_effort)


def test_structured_output_falls_back_step_by_step() -> None:
    shape: RequestShape | None = RequestShape()
    seen = []
    while shape is not None:
        seen.append(shape.output)
        shape = adapted(shape, "response_format", "not supported")
    assert seen == [OutputMode.JSON_SCHEMA, OutputMode.JSON_OBJECT, OutputMode.TEXT]


@pytest.mark.parametrize(
    ("parameter", "message", "changed"),
    [
        ("max_tokens", "Use 'max_completion_tokens' instead.", {"limit_parameter": "max_completion_tokens"}),
        ("", "unsupported: temperature", {"temperature": None}),
        ("prompt_cache_key", "", {"cache_key": False}),
        ("prompt_cache_options", "", {"cache_breakpoint": False}),
        ("messages[0].content[0].prompt_cache_breakpoint", "Extra inputs", {"cache_breakpoint": False}),
        ("reasoning_effort", "", {"reasoning_effort": "minimal"}),
    ],
)
def test_a_refused_parameter_has_its_fallback(parameter: str, message: str, changed: dict[str, object]) -> None:
    shape = adapted(RequestShape(reasoning_effort="none", cache_key=True, cache_breakpoint=True), parameter, message)
    assert shape is not None
    assert {name: getattr(shape, name) for name in changed} == changed


def test_an_unknown_parameter_has_no_fallback() -> None:
    assert adapted(RequestShape(), "logit_bias", "unsupported") is None


@pytest.mark.parametrize(
    ("model", "effort", "asked"),
    [
        ("gpt-4o-mini", None, True),
        ("gpt-6-luna", None, True),
        ("gpt-6-luna", "low", False),
        ("gpt-5-nano", None, False),
        ("o4-mini", None, False),
        ("llama-3.3-70b", None, True),
    ],
)
def test_log_probabilities_are_requested_only_from_models_that_do_not_think_first(
    model: str,
    effort: str | None,
    asked: bool,  # noqa: FBT001
) -> None:
    shape = initial_shape(model, answer_tokens=30, reasoning_effort=effort, logprobs=True)
    assert shape.logprobs is asked
    assert not initial_shape(model, answer_tokens=30).logprobs


def test_refused_log_probabilities_are_left_out() -> None:
    shape = initial_shape("llama-3.3-70b", answer_tokens=30, logprobs=True)
    message = "logprobs is not supported"
    assert adapted(shape, "", message) == initial_shape("llama-3.3-70b", answer_tokens=30)


def current_models() -> list[str]:
    """Models that the SDK and the price library list and that are not being retired, except models for other tasks."""
    retired = re.findall(r'"([^"]+)"', chat_model_file().partition("Deprecated values")[2])
    current = [
        m for m in get_args(ChatModel) if m not in retired and not re.search("audio|search|pro|codex|gpt-[34]", m)
    ]
    return [model for model in current if find_price(model) is not None]


def chat_model_file() -> str:
    return Path(inspect.getfile(importlib.import_module("openai.types.shared.chat_model"))).read_text()


@pytest.mark.parametrize("model", current_models())
def test_each_current_model_of_the_sdk_has_a_profile_with_its_window(model: str) -> None:
    profile = profile_of(model)
    _, listed = get_snapshot().find_provider_model(model, None, "openai", None)
    assert profile.context_window == listed.context_window
    assert profile.caching is not None
    price = find_price(model)
    assert price is not None
    rates = price.tiers[0][1]
    assert (rates.cache_write > rates.input) == profile.caching.breakpoints, (
        "models that charge for cache writes accept marks"
    )


def test_the_parameters_of_prompt_caching_are_the_sdks() -> None:
    parameters = get_type_hints(CompletionCreateParamsNonStreaming)
    assert {"prompt_cache_key", "prompt_cache_options", "max_completion_tokens", "reasoning_effort"} <= set(parameters)
    assert "prompt_cache_breakpoint" in get_type_hints(ChatCompletionContentPartTextParam)
    assert "gpt-5.6" in inspect.getsource(inspect.getmodule(PromptCacheOptions) or PromptCacheOptions)


@pytest.mark.parametrize(
    ("asked", "answered", "same"),
    [
        ("gpt-6-luna", "gpt-6-luna", True),
        ("gpt-6-luna", "gpt-6-luna-2026-05-01", True),
        ("gpt-6-luna-2026-05-01", "gpt-6-luna", True),
        ("openai/gpt-6-luna:free", "gpt-6-luna", True),
        ("gpt-4", "gpt-4-0613", True),
        ("mistral-large-latest", "mistral-large-2407", True),
        ("gemini-2.0-flash", "models/gemini-2.0-flash-001", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", False),
        ("gpt-4", "gpt-4-32k", False),
        ("gpt-4", "gpt-4.1", False),
        ("claude-3", "claude-3-5", False),
        ("gpt-6-luna", "gpt-4.1-nano-2025-04-14", False),
        ("gpt-6-luna", "", False),
    ],
)
def test_a_date_suffix_is_the_same_model_and_a_size_is_another(asked: str, answered: str, *, same: bool) -> None:
    assert is_same_model(asked, answered) is same


@pytest.mark.parametrize(
    ("model", "dialect", "tokens", "cached"),
    [
        ("claude-haiku-4-5", "chat-completions", 9_000, 0),
        ("anthropic/claude-sonnet-4.5", "chat-completions", 9_000, 0),
        ("claude-haiku-4-5", "anthropic-messages", 4_000, 0),
        ("claude-haiku-4-5-20251001", "anthropic-messages", 4_100, 4_100),
        ("claude-sonnet-4-5", "anthropic-messages", 1_030, 1_030),
        ("claude-sonnet-4-6", "anthropic-messages", 1_030, 0),
        ("claude-3-5-haiku-latest", "anthropic-messages", 2_047, 0),
        ("gpt-6-luna", "chat-completions", 1_030, 1_030),
        ("gpt-4o-mini", "chat-completions", 1_030, 1_024),
    ],
)
def test_caching_depends_on_the_protocol_if_only_one_has_the_mark(
    model: str, dialect: str, tokens: int, cached: int
) -> None:
    caching = caching_of(model, dialect)
    assert caching is not None
    assert caching.cached_tokens(tokens) == cached


def test_caching_of_other_models_is_unknown() -> None:
    assert caching_of("mistral-small", "chat-completions") is None
