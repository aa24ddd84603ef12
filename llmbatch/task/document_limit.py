"""How long a document may be, and what becomes of a longer one."""

from dataclasses import dataclass

from llmbatch.core.rows import Truncation
from llmbatch.tokens import count_tokens, head, head_tail

TRUNCATED = "truncated"
"""Flag of a row of which only a part was asked about."""


_MOST_BYTES = 4
"""Of one character in UTF-8."""


@dataclass(frozen=True, slots=True)
class DocumentLimit:
    """The most tokens that a document may have, and the rule by which a longer one is cut; without one it fails."""

    tokens: int | None = None
    """None for no limit: the model's window is not known, and the user named none."""
    cut: Truncation | None = None
    why: str = ""
    """Where the limit comes from, to follow the number of tokens that it allows."""

    def asked(self, text: str) -> str:
        """What of a text is asked about: all of it, or what is left when it is cut."""
        if self.tokens is None or self.cut is None or not self.exceeded_by(text):
            return text
        return head(text, self.tokens) if self.cut is Truncation.HEAD else head_tail(text, self.tokens)

    def refusal(self, text: str) -> str | None:
        """Why a text is not asked about, or None where it may be."""
        if self.tokens is None or self.cut is not None or _surely_within(text, self.tokens):
            return None
        found = count_tokens(text)
        if found <= self.tokens:
            return None
        return (
            f"the document has {found:,} tokens, more than the {self.tokens:,} {self.why}; "
            "--truncate head or head-tail would send a part of it"
        )

    def exceeded_by(self, text: str) -> bool:
        """Whether a text has more tokens than the limit. Only long ones are counted, about a second a megabyte."""
        return self.tokens is not None and not _surely_within(text, self.tokens) and count_tokens(text) > self.tokens


def _surely_within(text: str, tokens: int) -> bool:
    """No text has more tokens than bytes."""
    if len(text) * _MOST_BYTES <= tokens:
        return True
    return len(text) <= tokens and len(text.encode("utf-8", "replace")) <= tokens
