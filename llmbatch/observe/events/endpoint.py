"""What the endpoint says and does, and how a run reacts."""

from llmbatch.observe.events.event import Event, Level


class SentInTheClear(Event, frozen=True):
    """The endpoint is called over a network by plain http."""

    name = "endpoint.insecure"
    level = Level.WARNING
    template = "{endpoint}: plain http, the API key and the documents are sent unencrypted"
    endpoint: str


class EndpointChanged(Event, frozen=True):
    """Requests go to another server than in the previous session."""

    name = "endpoint.changed"
    level = Level.WARNING
    template = "requests now go to {endpoint}; the previous session used {before}"
    endpoint: str
    before: str


class RequestAdapted(Event, frozen=True):
    """The endpoint refuses a parameter; the run continues in another known form."""

    name = "request.adapted"
    level = Level.WARNING
    template = "the endpoint refuses a parameter ({refusal}): continuing with {going_on_with}"
    refusal: str
    """What the endpoint said, redacted."""
    going_on_with: str


class ServiceTierChanged(Event, frozen=True):
    """Answers are served at another tier than the one requested, or do not say which; reported once per session."""

    name = "tier.changed"
    level = Level.WARNING
    asked: str
    served: str | None
    """As the answer reports it, redacted; None if it does not."""

    @property
    def message(self) -> str:
        """The served tier, and the price at which rows count."""
        if self.served is None:
            return (
                f"answers do not say whether they were served at the {self.asked} tier: "
                "rows count at the higher of its price and the standard price"
            )
        return f"requested the {self.asked} tier, served at {self.served}: rows count at the price of the served tier"


class WindowStated(Event, frozen=True):
    """A refusal states the model's context window, which was unknown."""

    name = "window.stated"
    level = Level.WARNING
    template = (
        "the context window of {model} is {window:,} tokens: longer documents fail; the next run of the same command "
        "cuts them with --truncate head or head-tail"
    )
    model: str
    window: int
    """Tokens."""


class OutputLimitRaised(Event, frozen=True):
    """Answers were cut off at the run's output limit and complete with a higher one: the limit is raised."""

    name = "output_limit.raised"
    level = Level.WARNING
    before: int
    """Tokens."""
    now: int
    reasoning_tokens: int
    """Of the latest answer, as the endpoint reports them."""

    @property
    def message(self) -> str:
        """From what to what, and which option sets it."""
        thinking = f", {self.reasoning_tokens:,} for thinking" if self.reasoning_tokens else ""
        return (
            f"answers were cut off at {self.before:,} tokens and need more{thinking}: "
            f"the output limit is now {self.now:,} (--max-output-tokens sets it)"
        )


class NotAnsweredYet(Event, frozen=True):
    """The endpoint has answered nothing so far; the request is sent again."""

    name = "endpoint.unanswered"
    level = Level.WARNING
    kind: str
    """The failure's."""
    failure: str
    wait_s: float
    attempt: int | None
    """The number of the next one, from 1; None if the endpoint did not accept the last one, which is not counted."""
    attempts: int
    """How many there may be (`--attempts`)."""

    @property
    def message(self) -> str:
        """What happened, and when the next attempt is."""
        which = "" if self.attempt is None else f" ({self.attempt} of {self.attempts})"
        return f"{self.failure}; retrying{which} in {self.wait_s:,.0f} s"


class RateLimited(Event, frozen=True):
    """A rate limit has held requests back for some seconds; reported once for each limit."""

    name = "rate.limited"
    template = "limited by: {limit}"
    limit: str
    """In words, with its source."""


class MachineLacks(Event, frozen=True):
    """This machine cannot send as many requests at once; reported once for each missing resource."""

    name = "machine.lacks"
    level = Level.WARNING
    template = "{lack}: continuing with fewer requests at once ({hint})"
    lack: str
    hint: str


class OutageBegan(Event, frozen=True):
    """The endpoint is down."""

    name = "outage.began"
    level = Level.WARNING
    kind: str
    """The failure's."""
    status: int | None
    longest_s: float
    """How long the run waits for its end (`--max-wait`)."""

    @property
    def message(self) -> str:
        """The symptom, and what the run does."""
        status = f", HTTP {self.status}" if self.status else ""
        return (
            f"endpoint down ({self.kind}{status}): rows paused, probing with one request at a time "
            f"for up to {self.longest_s:,.0f} s (--max-wait)"
        )


class OutageOver(Event, frozen=True):
    """The endpoint answers again."""

    name = "outage.over"
    level = Level.WARNING
    template = "the endpoint answers again, after {lasted_s:,.1f} s"
    lasted_s: float
