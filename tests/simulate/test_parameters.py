"""Unknown parameters and values out of range are refused in OpenAI's words."""

import json
from typing import Any

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

from llmbatch.simulate.parameters import PARAMETERS, check_parameters
from llmbatch.simulate.reply import RefusedError


def test_the_table_has_the_parameters_that_the_sdk_has() -> None:
    assert set(CompletionCreateParamsNonStreaming.__annotations__) | {"stream"} == set(PARAMETERS)


@pytest.mark.parametrize(
    ("body", "code", "expected"),
    [
        ({"temprature": 0}, "unknown_parameter", "Unknown parameter: 'temprature'."),
        ({"top_k": 5}, "unknown_parameter", "Unknown parameter: 'top_k'."),
        ({"temperature": 2.5}, "decimal_above_max_value", "above maximum value. Expected a value <= 2, but got 2.5"),
        ({"temperature": -1}, "decimal_below_min_value", "below minimum value. Expected a value >= 0, but got -1"),
        ({"temperature": "0"}, "invalid_type", "expected a decimal, but got a string instead."),
        ({"temperature": True}, "invalid_type", "expected a decimal, but got a boolean instead."),
        ({"top_p": 1.1}, "decimal_above_max_value", "<= 1"),
        ({"presence_penalty": 3}, "decimal_above_max_value", "<= 2"),
        ({"logprobs": True, "top_logprobs": 21}, "integer_above_max_value", "<= 20"),
        ({"top_logprobs": 5}, None, "can only be set when 'logprobs' is true"),
        ({"logprobs": 5}, "invalid_type", "expected a boolean"),
        ({"n": 0}, "integer_below_min_value", ">= 1"),
        ({"n": 129}, "integer_above_max_value", "<= 128"),
        ({"max_completion_tokens": 0}, "integer_below_min_value", ">= 1"),
        ({"max_completion_tokens": 1.5}, "invalid_type", "expected an integer, but got a decimal"),
        ({"seed": 1 << 63}, "integer_above_max_value", "seed"),
        ({"reasoning_effort": "least"}, "invalid_value", "Supported values are: 'none', 'minimal'"),
        ({"reasoning_effort": "none"}, None, "Unrecognized request argument supplied: reasoning_effort"),
        ({"model": "gpt-5-mini", "reasoning_effort": "none"}, "unsupported_value", "does not support 'none'"),
        ({"model": "o3", "reasoning_effort": "minimal"}, "unsupported_value", "'low', 'medium', and 'high'"),
        ({"prompt_cache_key": 5}, "invalid_type", "expected a string, but got an integer"),
        ({"response_format": "json"}, "invalid_type", "expected an object, but got a string"),
        ({"verbosity": "loud"}, "invalid_value", "'low', 'medium', and 'high'"),
    ],
)
def test_a_parameter_out_of_its_range_is_refused(body: dict[str, Any], code: str | None, expected: str) -> None:
    with pytest.raises(RefusedError) as caught:
        check_parameters(body, body.get("model", "gpt-4o-mini"))
    error = json.loads(caught.value.reply.body)["error"]
    assert error["code"] == code
    assert error["param"] in body
    assert expected in error["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": 0, "top_p": 1, "n": 1, "seed": -1, "logprobs": True, "top_logprobs": 0, "stream": False},
        {"temperature": 2, "top_logprobs": 20, "logprobs": True, "max_tokens": 1, "user": "u", "stop": ["a"]},
        {"temperature": None, "top_logprobs": None, "reasoning_effort": None, "metadata": {"a": "b"}, "store": False},
    ],
)
def test_values_in_range_are_accepted(body: dict[str, Any]) -> None:
    check_parameters(body, "gpt-4o-mini")
