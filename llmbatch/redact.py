"""Keeps credentials out of whatever is written or shown, also where a server echoes them."""

import re

# Keys as the makers shape them: sk-..., sk-proj-..., gsk_..., and the half-masked form of OpenAI's 401 (sk-ab***yz).
_KEY_SHAPES = re.compile(r"\b(?:sk|pk|rk|gsk|xai|api)[-_][A-Za-z0-9_\-*]{6,}|\bBearer\s+[^\s\"',;]+", re.IGNORECASE)
_MASK = "[redacted]"
_LONGEST_MESSAGE = 500


class Redactor:
    """Takes the run's own secrets, and everything shaped like an API key, out of a text."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        self._secrets = tuple(secret for secret in secrets if secret.strip())

    def __call__(self, text: str) -> str:
        """`text` without secrets, cut to 500 characters: enough to know what a server meant."""
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        text = _KEY_SHAPES.sub(_MASK, text)
        return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
