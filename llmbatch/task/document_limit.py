"""The maximum document length, and the treatment of longer documents."""

from dataclasses import dataclass

from llmbatch.core.rows import Truncation
from llmbatch.tokens import count_tokens, head, head_tail

TRUNCATED = "truncated"
"""Flag of a row of which only a part was sent."""


_MOST_BYTES = 4
"""Maximum bytes of one character in UTF-8."""


@dataclass(frozen=True, slots=True)
class DocumentLimit:
    """The maximum number of tokens per document, and how a longer one is truncated; without a rule it fails."""

    tokens: int | None = None
    """None for no limit: the model's window is unknown, and the user set none."""
    cut: Truncation | None = None
    why: str = ""
    """Where the limit comes from, worded to follow the number of tokens."""

    def asked(self, text: str) -> str:
        """The part of a text that is sent: all of it, or the rest after truncation."""
        if self.tokens is None or self.cut is None or not self.exceeded_by(text):
            return text
        return head(text, self.tokens) if self.cut is Truncation.HEAD else head_tail(text, self.tokens)

    def refusal(self, text: str) -> str | None:
        """Why a text is not sent, or None if it may be."""
        if self.tokens is None or self.cut is not None or _surely_within(text, self.tokens):
            return None
        found = count_tokens(text)
        if found <= self.tokens:
            return None
        return (
            f"the document has {found:,} tokens, more than the {self.tokens:,} {self.why}; "
            "use --truncate head or head-tail to send a part of it"
        )

    def exceeded_by(self, text: str) -> bool:
        """Whether a text has more tokens than the limit. Only long ones are counted, at about a second per megabyte."""
        return self.tokens is not None and not _surely_within(text, self.tokens) and count_tokens(text) > self.tokens


def _surely_within(text: str, tokens: int) -> bool:
    """No text has more tokens than bytes."""
    if len(text) * _MOST_BYTES <= tokens:
        return True
    return len(text) <= tokens and len(text.encode("utf-8", "replace")) <= tokens
