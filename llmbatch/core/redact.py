"""Keeps credentials out of everything written or shown, even if a server echoes them.

Server responses are parsed unredacted, since a label may contain the text that the user set as a key; they are redacted
on the way out, to a file or a screen. The run's own key is removed from every text, in any encoding; messages also lose
anything that looks like a key.
"""

import base64
import re

_MASK = "[redacted]"
_LONGEST_MESSAGE = 500
_MARGIN = 40
"""The scanned length as a multiple of the longest message: masks are short, and the part cut off need not be clean."""
_PIECE = 8
"""Number of consecutive characters of a key that reveal it."""

_KEY_SHAPES = re.compile(  # vendors' key formats
    r"\b(?:sk|pk|rk|gsk|xai|hf|r8|fw|csk|pplx|tgp|nvapi)[-_][A-Za-z0-9_\-*]{6,}(?:\.[A-Za-z0-9_\-]{6,})*"
    r"|\bAIza[A-Za-z0-9_\-]{20,}"
    r"|\beyJ[A-Za-z0-9_\-]{10,300}\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+"  # JSON web tokens
    r"|\b(?:Bearer|Basic)\s+[^\s\"',;]+"
    r"|(?<![A-Za-z0-9_\-])[A-Za-z0-9_\-]{0,80}\*{3,}[A-Za-z0-9_\-*]*"  # half-masked, as in OpenAI's 401: sk-ab***yz
    r"|(?<!postgresql://)(?<=://)[^/\s@]{1,400}@"  # user and password in a URL
    r"|(?<=postgresql://)[^/\s@:]{0,400}:[^/\s@]{1,400}@"  # a user name alone is not secret here
    r"|(?<=password=)[^&\s'\"]{1,400}",  # and in its parameters
    re.IGNORECASE,
)
_SECRET_PARAMETERS = re.compile(  # URL parameters: signatures, and common names for a key
    r"([?&;](?:[\w.\-]{0,40}"
    r"(?:token|secret|signature|credential|passw(?:or)?d|api[_\-]?key|access[_\-]?key|auth|jwt|session)"
    r"[\w.\-]{0,40}|sig|key|code|pwd|policy)=)[^&;#\s\"'<>]+",
    re.IGNORECASE,
)


_SHORTEST = 8
_FEWEST_CHARACTERS = 4
"""Minimum number of distinct letters and digits in a key; `sk-xxxxxxxx` and `00000000` are placeholders."""
_PLACEHOLDER_WORDS = frozenset(
    {
        *("a", "abc123", "anything", "api", "apikey", "change", "changeme", "dummy", "dummykey", "example", "fake"),
        *("fakekey", "here", "insert", "key", "llama", "lm", "lmstudio", "local", "localhost", "me", "my", "needed"),
        *("no", "nokey", "nokeyneeded", "none", "not", "notneeded", "offline", "ollama", "openai", "placeholder"),
        *("real", "replace", "required", "secret", "sk", "studio", "test", "testkey", "the", "token", "undefined"),
        *("unused", "used", "vllm", "with", "your"),
    }
)
"""Placeholders used with servers that require a key but ignore it: `not-needed`, `lm-studio`, `<your-api-key>`."""


def is_secret(key: str) -> bool:
    """Whether a key should be redacted: long enough to be one, and not a placeholder."""
    plain = key.strip().lower()
    words = re.findall(r"[^\W_]+", plain)
    is_placeholder = len(set("".join(words))) < _FEWEST_CHARACTERS or _PLACEHOLDER_WORDS.issuperset(words)
    return len(plain) >= _SHORTEST and not is_placeholder


class Redactor:
    """Removes the run's own secrets, and everything shaped like an API key, from texts."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        known = [secret for secret in secrets if is_secret(secret)]
        encoded = [base64.b64encode(secret.encode()).decode().rstrip("=") for secret in known]
        self._shortest = min(map(len, known), default=0)
        self._own = re.compile("|".join(map(_however_written, [*known, *encoded]))) if known else None
        self._pieces = {secret[at : at + _PIECE] for secret in known for at in range(len(secret) - _PIECE + 1)}

    def __call__(self, text: str, *, longest: int = _LONGEST_MESSAGE) -> str:
        """`text` without keys or parts of our own, truncated; for messages, which only need to be understandable."""
        text = self._without_pieces(self.mask(text[: longest * _MARGIN]))
        return text if len(text) <= longest else text[: longest - 1] + "…"

    def mask(self, text: str) -> str:
        """`text` without our own secrets and without anything shaped like a key."""
        return _SECRET_PARAMETERS.sub(rf"\1{_MASK}", _KEY_SHAPES.sub(_MASK, self.hide(text)))

    def hide(self, text: str) -> str:
        """`text` without our own secrets, otherwise unchanged."""
        if self._own is None or len(text) < self._shortest:
            return text
        return self._own.sub(_MASK, text)

    def _without_pieces(self, text: str) -> str:
        found = [at for at in range(len(text) - _PIECE + 1) if text[at : at + _PIECE] in self._pieces]
        characters = list(text)
        for at in found:
            characters[at : at + _PIECE] = "\0" * _PIECE
        return re.sub("\0+", _MASK, "".join(characters)) if found else text


def _however_written(secret: str) -> str:
    """A pattern that matches the secret verbatim, JSON-escaped (any number of times), or URL-encoded (likewise)."""
    return "".join(rf"(?:\\{{0,8}}{re.escape(c)}|\\{{1,8}}[uU]00{_hex(c)}|%(?:25){{0,4}}{_hex(c)})" for c in secret)


def _hex(character: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" for digit in f"{ord(character):02x}")
