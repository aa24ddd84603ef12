"""The limit of prompt tokens that may be at the provider at once, as its refusals state it."""

import re

TOKEN_LIMIT = "token_limit_exceeded"  # noqa: S105 - OpenAI's and Azure's code
_LIMIT = re.compile(r"limit:?\s*(?:of\s*)?([\d,]{4,15})\s*(?:enqueued|tokens)?", re.IGNORECASE)


def stated_limit(message: str) -> int | None:
    """The tokens that a refusal allows, as in `Limit: 2,000,000 enqueued tokens`; None if it states no number."""
    found = _LIMIT.search(message)
    return None if found is None else int(found[1].replace(",", "")) or None
