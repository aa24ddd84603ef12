"""The provider's retirement announcements are read from the installed SDK."""

from datetime import date
from typing import get_args

import pytest
from openai.types.shared import ChatModel

from llmbatch.core import defaults
from llmbatch.provider.retirement import shutdown_date


@pytest.mark.parametrize(
    ("model", "on"),
    [
        ("gpt-4o-mini", date(2027, 1, 14)),
        ("openai/gpt-4o", date(2027, 1, 14)),
        ("gpt-4-turbo-preview", date(2026, 3, 26)),
        ("gpt-5.1-mini", None),
        ("gpt-4", date(2026, 10, 23)),
        ("gpt", None),
        ("llama-3.3-70b", None),
    ],
)
def test_an_announced_date_is_found(model: str, on: date | None) -> None:
    assert shutdown_date(model) == on


def test_most_of_the_sdks_models_are_being_retired_and_the_default_one_is_not() -> None:
    retiring = [model for model in get_args(ChatModel) if shutdown_date(model) is not None]
    assert len(retiring) > len(get_args(ChatModel)) // 2
    assert shutdown_date(defaults.MODEL) is None
