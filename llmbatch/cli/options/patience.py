"""How patient a run is with its endpoint: one word that sets seven options."""

from dataclasses import dataclass
from enum import StrEnum

from llmbatch.core import defaults


class Patience(StrEnum):
    """How often and how long a run tries before it fails a row or ends."""

    low = "low"
    normal = "normal"
    high = "high"


@dataclass(frozen=True, slots=True)
class PatientValues:
    """Values for options that nothing else sets. The fields are the options' names; waits are in seconds."""

    attempts: int = defaults.ATTEMPTS
    retry_wait_min: float = defaults.RETRY_WAIT_MIN_S
    retry_wait_max: float = defaults.RETRY_WAIT_MAX_S
    max_wait: float = defaults.MAX_WAIT_S
    reask: int = defaults.REASKS
    grace: float = defaults.GRACE_S
    timeout_factor: float = 1.0
    """Factor for the service tier's timeout, which `timeout` replaces."""


VALUES = {
    Patience.low: PatientValues(
        attempts=2, retry_wait_min=1.0, retry_wait_max=15.0, max_wait=60.0, reask=0, grace=5.0, timeout_factor=0.5
    ),
    Patience.normal: PatientValues(),
    Patience.high: PatientValues(
        attempts=8, retry_wait_max=600.0, max_wait=7200.0, reask=2, grace=60.0, timeout_factor=4.0
    ),
}
"""For someone waiting at the terminal, for most runs, and for an unattended night."""


def timeout_words(values: PatientValues) -> str:
    """How long one whole request may take, in words: it depends on the service tier."""
    usual, flex = (values.timeout_factor * seconds for seconds in (defaults.TIMEOUT_S, defaults.FLEX_TIMEOUT_S))
    return f"{usual:g}; {flex:g} with --service-tier flex"
