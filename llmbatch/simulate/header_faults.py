"""Rate limits stated as other providers state them, on answers that are otherwise OpenAI's."""

from collections.abc import Callable

from llmbatch.simulate.dialects import dialect_of
from llmbatch.simulate.stated_limits import StatedLimits

HEADER_FAULTS: dict[str, str] = {
    "limits_fixed_window": "envoy",
    "limits_unix_seconds": "litellm",
    "limits_unix_milliseconds": "openrouter",
    "limits_dates": "anthropic",
    "limits_day": "groq",
    "limits_second": "together",
    "limits_minute": "mistral",
}
"""Each kind, and the dialect whose headers it uses."""


class OtherLimits:
    """The limits of each kind that has occurred so far."""

    def __init__(self, *, rpm: int | None, tpm: int | None, clock: Callable[[], float]) -> None:
        self._rpm, self._tpm, self._clock = rpm, tpm, clock
        self._stated: dict[str, StatedLimits] = {}

    def headers(self, kind: str, tokens: int) -> dict[str, str]:
        """The headers of an answer with this kind, for a request with this many tokens."""
        if kind not in self._stated:
            forms = dialect_of(HEADER_FAULTS[kind]).limits or ()
            self._stated[kind] = StatedLimits(forms, rpm=self._rpm, tpm=self._tpm, clock=self._clock)
        return self._stated[kind].headers(tokens)
