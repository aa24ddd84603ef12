"""How requests are sent."""

from dataclasses import dataclass
from datetime import datetime

from llmbatch.core import defaults
from llmbatch.core.prices import Price
from llmbatch.core.service_tiers import request_timeout_s
from llmbatch.engine.failure_rate_guard import GuardSettings
from llmbatch.engine.packing.plans import Packing
from llmbatch.engine.throttle.shared_rate import OpenRateShare
from llmbatch.provider.limits import RateLimits
from llmbatch.provider.retry import RetryPolicy
from llmbatch.spend.options import BudgetOptions


@dataclass(frozen=True, slots=True)
class Sending:
    """How requests are sent: to which endpoint, how many at once, and with which retry policy."""

    base_url: str | None = None
    api_version: str | None = None
    insecure_http: bool = False
    """Send the key to a public host by plain http."""
    offline: bool = False
    offline_arguments: tuple[str, ...] = ()
    """Options of `llmbatch simulate` for the offline endpoint, such as `--fault`."""
    concurrency: int | None = None
    """Maximum requests in flight; None adapts to the endpoint."""
    limits: RateLimits = RateLimits()
    """The user's rate limits, per second; None uses what the endpoint states."""
    packing: Packing | None = None
    """How several rows share a request; None sends each in its own."""
    rate_share: OpenRateShare | None = None
    """Opens the store through which limits are shared with other processes; None if they are not shared."""
    timeout_s: float | None = None
    """Time-out of one whole request; None for its service tier's default."""
    timeout_factor: float = 1.0
    """Factor for the tier's default."""
    policy: RetryPolicy = RetryPolicy()
    guard: GuardSettings = GuardSettings()
    grace_s: float = defaults.GRACE_S
    deadline: datetime | None = None
    """The time after which nothing more is sent; None for no deadline."""
    price: Price | None = None
    budget: BudgetOptions = BudgetOptions()

    @property
    def rows_per_request(self) -> int:
        """Maximum number of rows per request."""
        return 1 if self.packing is None else self.packing.rows

    def request_timeout_s(self, tier: str | None) -> float:
        """Seconds that one whole request at a service tier may take."""
        return self.timeout_factor * request_timeout_s(tier) if self.timeout_s is None else self.timeout_s
