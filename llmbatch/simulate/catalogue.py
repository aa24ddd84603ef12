"""Every kind of fault, in five groups, with its parameters. docs/reference/simulate.md is the users' list.

At most one fault of each group affects a request: an answer can be both delayed and wrapped, and an error can drip.
Faults of files and batches are separate.
"""

from collections.abc import Mapping
from types import MappingProxyType

from llmbatch.simulate import batch_faults
from llmbatch.simulate.answer_faults import ANSWER_FAULTS
from llmbatch.simulate.error_faults import ERROR_FAULTS
from llmbatch.simulate.header_faults import HEADER_FAULTS
from llmbatch.simulate.maker_faults import MAKER_ANSWERS, MAKER_ERRORS
from llmbatch.simulate.pack_faults import PACK_FAULTS
from llmbatch.simulate.usage_faults import USAGE_FAULTS
from llmbatch.simulate.wire_faults import WIRE_FAULTS

_OF_PACKS = dict.fromkeys(PACK_FAULTS, lambda answer, _: answer)
"""They do not change an answer about one document."""
ERRORS, ANSWERS = ERROR_FAULTS | MAKER_ERRORS, ANSWER_FAULTS | MAKER_ANSWERS | _OF_PACKS
"""OpenAI's own, and other providers'."""
GROUPS: tuple[Mapping[str, object], ...] = (ERRORS, WIRE_FAULTS, ANSWERS, USAGE_FAULTS, HEADER_FAULTS)

KINDS: tuple[str, ...] = (*(kind for group in GROUPS for kind in group), *batch_faults.BATCH_FAULTS)

MIXED = "mixed"
"""The kind that stands for one of `MIXED_KINDS`, drawn again each time."""

# Faults that a correct client survives unattended: none that stops the whole run, and none that takes long.
MIXED_KINDS: tuple[str, ...] = (
    "rate_limit",
    "rate_limit_bare",
    "server_error",
    "bad_gateway",
    "overloaded",
    "request_timeout",
    "conflict",
    "reset",
    "cut",
    *ANSWER_FAULTS,
    "no_usage",
)

_RETRY_AFTER = {"retry_after": 1.0}

DEFAULTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "rate_limit": _RETRY_AFTER,
        "timeout": {"seconds": 600.0},
        "delay": {"seconds": 1.0},
        "slow": {"seconds": 10.0},
        "drip": {"seconds": 60.0},
        MIXED: _RETRY_AFTER,
        **batch_faults.DEFAULTS,
    }
)
"""Parameters of kinds that have any, with their defaults; in seconds, except those of batches."""
