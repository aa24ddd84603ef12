"""Which rows get a span: few enough for a million rows, enough to see what goes wrong.

A run is one trace, so a sampler that decides by trace would keep all of its rows or none. Here the run's own span is
always kept, and `OTEL_TRACES_SAMPLER` decides about rows, by their keys: the same rows whenever they are sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from llmbatch.core.errors import UsageError
from llmbatch.core.key_index import short
from llmbatch.core.ledger_line import FAILED, LedgerLine

_DEFAULT_SHARE = 0.01
_FIRST_ROWS = 100
_MOST_FAILED = 1_000
_KEYS = 1 << 64


@dataclass(slots=True)
class RowSampling:
    """Keeps a share of rows by their keys, and additionally a number of first rows and of failed rows."""

    share: float = _DEFAULT_SHARE
    first: int = _FIRST_ROWS
    failed: int = _MOST_FAILED

    def takes(self, line: LedgerLine) -> bool:
        """Whether this row gets a span; called once for each row."""
        if short(line.key) < self.share * _KEYS:
            return True
        if self.first > 0:
            self.first -= 1
            return True
        if line.status == FAILED and self.failed > 0:
            self.failed -= 1
            return True
        return False


def row_sampling(environment: Mapping[str, str]) -> RowSampling | None:
    """The sampling that `OTEL_TRACES_SAMPLER` and its argument define; None if nothing is to be traced.

    Raises:
        UsageError: it is not a standard one, or its argument is not a share from 0 to 1.
    """
    name = environment.get("OTEL_TRACES_SAMPLER", "").strip().removeprefix("parentbased_")
    argument = environment.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    match name:
        case "":
            return RowSampling()
        case "always_on":
            return RowSampling(share=1.0)
        case "always_off":
            return None
        case "traceidratio":
            return RowSampling(_share(argument), first=0, failed=0)
        case _:
            raise UsageError(
                f"OTEL_TRACES_SAMPLER {name!r} is not known",
                hint="say always_on, always_off or traceidratio, with or without parentbased_",
            )


def _share(text: str) -> float:
    try:
        share = float(text or "1")
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"OTEL_TRACES_SAMPLER_ARG {text!r} is not a number from 0 to 1")
    return share
