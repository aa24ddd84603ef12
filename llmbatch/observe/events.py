"""What can happen to a run: each event has a stable name for machines and a sentence for people.

A part that has something to tell makes one of these and gives it to the run's observer; how it is shown is the
observers' business. A new kind of event is a class here and a line in docs/observability.md.
"""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, ClassVar

from llmbatch.core.money import NANO, to_usd
from llmbatch.core.sanitize import neutral

_SAMPLE = 80
"""Characters of a document."""


class Level(StrEnum):
    """How much an event matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. The dataclass's fields are what machines get; names and fields are kept stable."""

    name: ClassVar[str]
    level: ClassVar[Level] = Level.INFO

    @property
    def message(self) -> str:
        """A sentence of plain text, for logs too: documents' texts are not in it."""
        raise NotImplementedError

    @property
    def shown(self) -> str:
        """The message as the user's own screen shows it."""
        return self.message

    def fields(self) -> dict[str, Any]:
        """The event's own fields as JSON values, money in US dollars."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FieldsChosen(Event):
    """How an input is written, and which of its fields are the text and the id, as far as nobody said so."""

    name = "input.fields"
    file: str
    text_fields: tuple[str, ...]
    id_field: str | None
    findings: tuple[str, ...] = ()
    """What was detected of how it is written, each in a few words."""
    sample: str = ""
    """The beginning of the first document."""

    @property
    def message(self) -> str:
        """How it is written, and which fields."""
        texts = " + ".join(map(repr, self.text_fields))
        identity = f"id from {self.id_field!r}" if self.id_field else "row numbers for ids"
        written = "".join(f"{finding}; " for finding in self.findings)
        return f"{self.file}: {written}text from {texts}, {identity} (--text-field, --id-field name others)"

    @property
    def shown(self) -> str:
        """Which fields, and what the first document is then."""
        return f'{self.message}: "{neutral(self.sample, limit=_SAMPLE)}"' if self.sample else self.message

    def fields(self) -> dict[str, Any]:
        """All but the sample."""
        return {name: value for name, value in asdict(self).items() if name != "sample"}


@dataclass(frozen=True, slots=True)
class InputPutRight(Event):
    """What of an input was passed over, filled in or not readable, once all of it was read."""

    name = "input.put_right"
    level = Level.WARNING
    file: str
    remarks: tuple[str, ...]

    @property
    def message(self) -> str:
        """All of it in one line."""
        return f"{self.file}: {', '.join(self.remarks)}"


@dataclass(frozen=True, slots=True)
class InputsReplaced(Event):
    """A run folder that the user named takes other inputs than it had."""

    name = "input.replaced"
    level = Level.WARNING
    folder: str
    before: tuple[str, ...]
    now: tuple[str, ...]

    @property
    def message(self) -> str:
        """What becomes of the results that stand there."""
        return (
            f"{self.folder} held the results of {', '.join(self.before)}: those of {', '.join(self.now)} replace them; "
            "its ledger keeps the answers"
        )


@dataclass(frozen=True, slots=True)
class InputChanged(Event):
    """An input is not what it was, since the session before or while this one read it."""

    GREW: ClassVar[str] = "grew"
    """Bytes were added at its end."""
    SHRANK: ClassVar[str] = "shrank"
    """Its end is missing."""
    CHANGED: ClassVar[str] = "changed"
    """Anything else, such as another file of the same name."""
    GONE: ClassVar[str] = "gone"

    name = "input.changed"
    level = Level.WARNING
    input: str
    change: str
    is_while_read: bool = False
    """Whether it happened during this session."""

    @property
    def is_failure(self) -> bool:
        """Whether a session cannot be called successful: rows are missing that were there, or may be."""
        return self.change in (self.SHRANK, self.GONE) or (self.is_while_read and self.change == self.CHANGED)

    @property
    def message(self) -> str:
        """What happened to it, and what that means for the results."""
        match self.change, self.is_while_read:
            case self.GREW, _:
                return f"{self.input} grew while it was read: run the same command again for its new rows"
            case self.GONE, _:
                return f"{self.input} is gone: the results have its rows no more"
            case change, True:
                return f"{self.input} {change} while it was read: rows may be missing; run the same command again"
            case self.SHRANK, _:
                return f"{self.input} is shorter than when it was read last: the results lack the rows that are gone"
        return f"{self.input} changed since it was read last: the results are of what it holds now"


@dataclass(frozen=True, slots=True)
class PrefixPlanned(Event):
    """What the stable part of each request holds, and how much of it the provider's cache should serve."""

    name = "prefix.planned"
    tokens: int
    cached_tokens: int
    pool_examples: int
    why: str

    @property
    def message(self) -> str:
        """What was decided, and why."""
        return self.why


@dataclass(frozen=True, slots=True)
class ArmEstimated:
    """What one arm of a run will cost, nano-dollars; None where its price is not known."""

    arm: str
    model: str
    low_rows: int
    high_rows: int
    low_nusd: int | None
    high_nusd: int | None

    def told(self, share: float) -> str:
        """The arm in a few words, for this share (a factor) of the rows."""
        rows = sorted({round(share * self.low_rows), round(share * self.high_rows)})
        asked = f"{self.arm} {self.model}, {' to '.join(f'{count:,}' for count in rows)} rows"
        if self.low_nusd is None or self.high_nusd is None:
            return asked
        return f"{asked}: {_dollars(share * self.low_nusd)} to {_dollars(share * self.high_nusd)}"


@dataclass(frozen=True, slots=True)
class RunEstimated(Event):
    """What the run will cost, by a first look at its input. Costs are None where a model's price is not known."""

    name = "run.estimate"
    model: str
    rows: int
    """To be asked, of those that were looked at."""
    done: int
    """Of those, rows that have their label already."""
    is_whole: bool
    """Whether all were looked at."""
    cost_nusd: int | None
    low_nusd: int | None
    high_nusd: int | None
    seconds: float | None
    arms: tuple[ArmEstimated, ...] = ()
    """What is asked: the run's own plan, a canary, a stronger model; the costs above are of all of them."""

    @property
    def message(self) -> str:
        """The estimate in a sentence, with its arms where there are several."""
        if self.cost_nusd is None or self.low_nusd is None or self.high_nusd is None:
            return f"estimate: {self.rows:,} rows to ask; the price of {self.model} is not known"
        share, what = 1.0, f"{self.rows:,} rows to ask"
        if not self.is_whole and self.rows:
            share, what = 1000 / self.rows, f"by the first {self.rows:,} rows, for each 1,000"
        amounts = (_dollars(share * nusd) for nusd in (self.cost_nusd, self.low_nusd, self.high_nusd))
        time = "" if self.seconds is None else f", about {_time_span(self.seconds)}"
        arms = "".join(f"; {arm.told(share)}" for arm in self.arms) if len(self.arms) > 1 else ""
        return "estimate: {}: about {} ({} to {}){}{}".format(what, *amounts, time, arms)

    def fields(self) -> dict[str, Any]:
        """Money in US dollars."""
        costs = {"cost_usd": self.cost_nusd, "low_usd": self.low_nusd, "high_usd": self.high_nusd}
        return {
            "model": self.model,
            "rows": self.rows,
            "done": self.done,
            "is_whole": self.is_whole,
            **{name: None if nusd is None else to_usd(nusd) for name, nusd in costs.items()},
            "seconds": self.seconds,
            "arms": [
                {
                    "arm": arm.arm,
                    "model": arm.model,
                    "low_rows": arm.low_rows,
                    "high_rows": arm.high_rows,
                    "low_usd": None if arm.low_nusd is None else to_usd(arm.low_nusd),
                    "high_usd": None if arm.high_nusd is None else to_usd(arm.high_nusd),
                }
                for arm in self.arms
            ],
        }


@dataclass(frozen=True, slots=True)
class PlanChanged(Event):
    """What is asked has changed since the last session, so that rows that were finished are asked again."""

    name = "plan.changed"
    level = Level.WARNING
    changed: tuple[str, ...]
    """Of `prompt`, `model`, `parameters`."""
    rows: int
    """Finished rows that will be asked again."""
    cost_nusd: int | None
    """What that is expected to cost; None where the price is not known."""
    offline: bool

    @property
    def message(self) -> str:
        """What changed, how many rows, and at what cost."""
        cost = "" if self.cost_nusd is None else f", about {_dollars(self.cost_nusd)}"
        free = " simulated (free)" if cost and self.offline else ""
        rows = "1 finished row" if self.rows == 1 else f"{self.rows:,} finished rows"
        return f"the {' and the '.join(self.changed)} changed: {rows} will be asked again{cost}{free}"

    def fields(self) -> dict[str, Any]:
        """Money in US dollars."""
        cost_usd = None if self.cost_nusd is None else to_usd(self.cost_nusd)
        return {"changed": self.changed, "rows": self.rows, "cost_usd": cost_usd, "offline": self.offline}


@dataclass(frozen=True, slots=True)
class PriceUnknown(Event):
    """Nobody published a price for this model at this endpoint, and the user gave none."""

    name = "price.unknown"
    level = Level.WARNING
    model: str

    @property
    def message(self) -> str:
        """What that means, and what to do."""
        return f"the price of {self.model} is not known, so costs are shown as unknown: --price gives it"


@dataclass(frozen=True, slots=True)
class PriceNone(Event):
    """The endpoint is a server of the user's own."""

    name = "price.none"
    endpoint: str

    @property
    def message(self) -> str:
        """What is taken for granted, and how to say otherwise."""
        return f"{self.endpoint} is a server of your own, whose answers are taken as free: --price says otherwise"


@dataclass(frozen=True, slots=True)
class ModelRetires(Event):
    """The model's maker has announced to shut it down."""

    name = "model.retires"
    level = Level.WARNING
    model: str
    on: str
    """The date, ISO 8601."""

    @property
    def message(self) -> str:
        """When, and what to do."""
        return f"OpenAI has announced to shut down {self.model} on {self.on}: choose another model in time (--model)"


@dataclass(frozen=True, slots=True)
class LedgerSalvaged(Event):
    """Damaged lines were moved out of the ledger, as `--salvage` asked."""

    name = "ledger.salvaged"
    level = Level.WARNING
    lines: int

    @property
    def message(self) -> str:
        """How many."""
        return f"{self.lines} damaged ledger lines were moved aside; their rows are sent again"


@dataclass(frozen=True, slots=True)
class LedgerTorn(Event):
    """The ledger's last line was not whole."""

    name = "ledger.torn"
    level = Level.WARNING
    moved_to: str

    @property
    def message(self) -> str:
        """Where it went."""
        return f"the ledger's last line was torn by a crash; it was moved to {self.moved_to}"


@dataclass(frozen=True, slots=True)
class PossiblyBilledFound(Event):
    """A killed session had requests under way, whose outcome nobody knows."""

    name = "requests.possibly_billed"
    level = Level.WARNING
    requests: int
    at_most_nusd: int

    @property
    def message(self) -> str:
        """How many."""
        return (
            f"{self.requests} requests were under way when the last session was killed: "
            "they may have been billed, and their rows are sent again"
        )

    def fields(self) -> dict[str, Any]:
        """Money in US dollars."""
        return {"requests": self.requests, "at_most_usd": to_usd(self.at_most_nusd)}


@dataclass(frozen=True, slots=True)
class LogShrank(Event):
    """A log is shorter than when the results were made of it: lines were cut off, or an older copy stands there."""

    name = "log.shrank"
    level = Level.WARNING
    file: str
    missing_bytes: int

    @property
    def message(self) -> str:
        """Which one, by how much, and what follows."""
        return (
            f"{self.file} is {self.missing_bytes:,} bytes shorter than when the results were made of it: "
            "what it has lost is missing from them, and such rows are asked again"
        )


@dataclass(frozen=True, slots=True)
class FolderMigrated(Event):
    """An earlier version made the run folder: its lines so far have no checksum, new ones do."""

    name = "folder.migrated"
    version: str

    @property
    def message(self) -> str:
        """Who made it, and what is different now."""
        return f"run folder of llmbatch {self.version}: new lines get checksums; that version cannot read them"


@dataclass(frozen=True, slots=True)
class SentLogDamaged(Event):
    """Lines of `sent.log` cannot be read: each is counted as a request that was billed."""

    name = "requests.log_damaged"
    level = Level.WARNING
    requests: int
    at_most_nusd: int
    """0 where nothing tells what a request may have cost."""

    @property
    def message(self) -> str:
        """How many, and what they count as."""
        cost = f"at most ${to_usd(self.at_most_nusd):,.6g}" if self.at_most_nusd else "at an unknown cost"
        return f"sent.log is damaged: {self.requests} requests that it held are counted as billed, {cost}"

    def fields(self) -> dict[str, Any]:
        """Money in US dollars."""
        return {"requests": self.requests, "at_most_usd": to_usd(self.at_most_nusd)}


@dataclass(frozen=True, slots=True)
class RequestAdapted(Event):
    """The endpoint refuses a parameter; the run goes on in another known form."""

    name = "request.adapted"
    level = Level.WARNING
    refusal: str
    """What the endpoint said, redacted."""
    going_on_with: str

    @property
    def message(self) -> str:
        """What was refused, and what is asked instead."""
        return f"the endpoint refuses a parameter ({self.refusal}): going on with {self.going_on_with}"


@dataclass(frozen=True, slots=True)
class ServiceTierUnpriced(Event):
    """A service tier is asked for, and no price of its own is published for the model."""

    name = "tier.unpriced"
    level = Level.WARNING
    model: str
    tier: str

    @property
    def message(self) -> str:
        """By which price rows count, and what the endpoint may do."""
        return (
            f"no {self.tier} price is published for {self.model}: rows count at the standard price, "
            "and the endpoint may refuse the tier"
        )


@dataclass(frozen=True, slots=True)
class ServiceTierChanged(Event):
    """Answers are served at another tier than the one asked for, or do not say at which; told once a session."""

    name = "tier.changed"
    level = Level.WARNING
    asked: str
    served: str | None
    """As the answer reports it, redacted; None where it does not."""

    @property
    def message(self) -> str:
        """Which tier came, and by which price rows count."""
        if self.served is None:
            return (
                f"answers do not say whether they are served at the {self.asked} tier: "
                "rows count at the dearer one of its price and the standard price"
            )
        return f"asked for the {self.asked} tier, served at {self.served}: rows count at the price of what is served"


@dataclass(frozen=True, slots=True)
class WindowStated(Event):
    """A refusal states the model's context window, which was not known."""

    name = "window.stated"
    level = Level.WARNING
    model: str
    window: int
    """Tokens."""

    @property
    def message(self) -> str:
        """What that means for longer documents."""
        return (
            f"the window of {self.model} is {self.window:,} tokens: longer documents fail; "
            "the next run of the same command cuts them with --truncate head or head-tail"
        )


@dataclass(frozen=True, slots=True)
class TruncationUnbounded(Event):
    """Long documents are to be cut, and nobody knows how long they may be."""

    name = "truncation.unbounded"
    level = Level.WARNING
    model: str

    @property
    def message(self) -> str:
        """Why nothing is cut, and what to do."""
        return f"--truncate cuts nothing yet: the window of {self.model} is not known; --max-doc-tokens sets a length"


@dataclass(frozen=True, slots=True)
class OutputLimitRaised(Event):
    """Answers were cut at the run's output limit, and came whole with more room: the limit is raised."""

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
            f"answers were cut at {self.before:,} tokens and need more{thinking}: "
            f"the output limit is now {self.now:,} (--max-output-tokens sets it)"
        )


@dataclass(frozen=True, slots=True)
class ReuseUnavailable(Event):
    """The store of earlier answers cannot be used (any more): rows that it holds are asked again."""

    name = "reuse.unavailable"
    level = Level.WARNING
    store: str
    error: str

    @property
    def message(self) -> str:
        """What is wrong with it, and what is done."""
        return (
            f"{self.store}: the store of earlier answers cannot be used ({self.error}); the run goes on without it "
            "(`llmbatch cache clear` makes it anew)"
        )


@dataclass(frozen=True, slots=True)
class NotAnsweredYet(Event):
    """The endpoint has answered nothing so far; the request is sent again."""

    name = "endpoint.unanswered"
    level = Level.WARNING
    kind: str
    """The failure's."""
    failure: str
    wait_s: float
    attempt: int | None
    """Which one comes next, from 1; None where the endpoint did not take the last one, which is not counted."""
    attempts: int
    """How many there may be (`--attempts`)."""

    @property
    def message(self) -> str:
        """What happened, and when it is tried again."""
        which = "" if self.attempt is None else f" ({self.attempt} of {self.attempts})"
        return f"{self.failure}; trying again{which} in {self.wait_s:,.0f} s"


@dataclass(frozen=True, slots=True)
class RateLimited(Event):
    """A rate limit has held requests back for some seconds; reported once for each limit."""

    name = "rate.limited"
    limit: str
    """In words, with where it is known from."""

    @property
    def message(self) -> str:
        """Which limit it is."""
        return f"limited by: {self.limit}"


@dataclass(frozen=True, slots=True)
class MachineLacks(Event):
    """This machine has no means to send as many requests at once; told once for each of what it lacks."""

    name = "machine.lacks"
    level = Level.WARNING
    lack: str
    hint: str

    @property
    def message(self) -> str:
        """What is lacking, what is done about it, and what the user can do."""
        return f"{self.lack}: going on with fewer requests at once ({self.hint})"


@dataclass(frozen=True, slots=True)
class OutageBegan(Event):
    """The endpoint answers nobody any more."""

    name = "outage.began"
    level = Level.WARNING
    kind: str
    """The failure's."""
    status: int | None
    longest_s: float
    """How long the run waits for its end (`--max-wait`)."""

    @property
    def message(self) -> str:
        """How it shows, and what is done."""
        status = f", HTTP {self.status}" if self.status else ""
        return (
            f"the endpoint serves nobody ({self.kind}{status}): all rows wait while one at a time asks again, "
            f"for up to {self.longest_s:,.0f} s (--max-wait)"
        )


@dataclass(frozen=True, slots=True)
class OutageOver(Event):
    """The endpoint answers again."""

    name = "outage.over"
    level = Level.WARNING
    lasted_s: float

    @property
    def message(self) -> str:
        """That it is over."""
        return f"the endpoint answers again, after {self.lasted_s:,.1f} s"


@dataclass(frozen=True, slots=True)
class CanaryDropped(Event):
    """The canary is worse than the control: it gets no more rows."""

    name = "canary.dropped"
    level = Level.WARNING
    reason: str

    @property
    def message(self) -> str:
        """Why."""
        return f"the canary is dropped: {self.reason}"


@dataclass(frozen=True, slots=True)
class CanaryExpanded(Event):
    """The canary holds: it gets more rows."""

    name = "canary.expanded"
    share: float

    @property
    def message(self) -> str:
        """How many."""
        return f"the canary holds: it gets {self.share:.0%} of the rows from now on"


@dataclass(frozen=True, slots=True)
class SignalReceived(Event):
    """SIGINT, SIGTERM or SIGHUP, or the program that called, interrupts the run: it ends in order."""

    name = "run.signal"
    level = Level.WARNING
    signal: str
    """The signal's name, or `the caller`."""

    @property
    def message(self) -> str:
        """What happens now."""
        return f"{self.signal}: finishing the requests under way; once more gives them up"


@dataclass(frozen=True, slots=True)
class RunStopping(Event):
    """A guard, a limit, the server or a failure ended the run; what is under way may still come in."""

    name = "run.stopping"
    level = Level.WARNING
    reason: str
    exit_code: int

    @property
    def message(self) -> str:
        """Why."""
        return f"stopping once the requests under way are answered: {self.reason}"


@dataclass(frozen=True, slots=True)
class BudgetAlert(Event):
    """A share of a budget is spent, as `--alert-at` says."""

    name = "budget.alert"
    level = Level.WARNING
    budget: str
    """Its option: `--max-cost` or `--daily-budget`."""
    percent: float
    spent_nusd: int
    """What is spent, and what may be."""
    cap_nusd: int
    day: str | None
    """The UTC day, of a daily budget."""

    @property
    def message(self) -> str:
        """How far it is."""
        day = f" of {self.day} (UTC)" if self.day else ""
        return (
            f"{self.percent:g}% of {self.budget} ${to_usd(self.cap_nusd):,.6g}{day} is used up: "
            f"${to_usd(self.spent_nusd):,.6g} is spent or may be"
        )

    def fields(self) -> dict[str, Any]:
        """Money in US dollars."""
        return {
            "budget": self.budget,
            "percent": self.percent,
            "spent_usd": to_usd(self.spent_nusd),
            "cap_usd": to_usd(self.cap_nusd),
            "day": self.day,
        }


@dataclass(frozen=True, slots=True)
class AlertCommandFailed(Event):
    """`--alert-command` did not do its work; the run goes on."""

    name = "budget.alert_command_failed"
    level = Level.WARNING
    error: str

    @property
    def message(self) -> str:
        """Why."""
        return f"--alert-command: {self.error}; the run goes on"


@dataclass(frozen=True, slots=True)
class SpendNotRecorded(Event):
    """The spend store cannot be written; without a daily budget the run goes on."""

    name = "spend.not_recorded"
    level = Level.WARNING
    error: str

    @property
    def message(self) -> str:
        """Why, and what is lost."""
        return f"{self.error}; llmbatch spend will not know all that this run costs"


@dataclass(frozen=True, slots=True)
class ObserverFailed(Event):
    """Something that watches the run (a log file, an exporter) is out of order; the run itself is not."""

    name = "observer.failed"
    level = Level.WARNING
    observer: str
    error: str

    @property
    def message(self) -> str:
        """Which one, and why."""
        return f"{self.observer}: {self.error}; the run goes on without it"


@dataclass(frozen=True, slots=True)
class ExportFailed(Event):
    """Telemetry cannot be sent; told once."""

    name = "telemetry.export_failed"
    level = Level.WARNING
    error: str

    @property
    def message(self) -> str:
        """Why."""
        return f"telemetry cannot be sent ({self.error}); the run goes on"


@dataclass(frozen=True, slots=True)
class ArmBegins(Event):
    """A comparison comes to its next arm."""

    name = "compare.arm"
    arm: str
    number: int
    of: int

    @property
    def message(self) -> str:
        """Which one."""
        return f"arm {self.number} of {self.of}: {self.arm}"


@dataclass(frozen=True, slots=True)
class CalibrationUsed(Event):
    """The task's calibration holds for this run."""

    name = "calibration.used"
    file: str
    method: str
    rows: int
    """Gold rows that it was fitted on."""

    @property
    def message(self) -> str:
        """Which one."""
        return f"confidences are calibrated by {self.file} ({self.method}, fitted on {self.rows:,} gold rows)"


@dataclass(frozen=True, slots=True)
class CalibrationMissing(Event):
    """There is a calibration file, and nothing in it holds for this run."""

    name = "calibration.missing"
    level = Level.WARNING
    file: str

    @property
    def message(self) -> str:
        """What that means."""
        return (
            f"{self.file} has no calibration for this prompt, model and kind of confidence: "
            "confidences stay as they are given; llmbatch calibrate fits one"
        )


@dataclass(frozen=True, slots=True)
class SentInTheClear(Event):
    """The endpoint is asked by plain http over a network."""

    name = "endpoint.insecure"
    level = Level.WARNING
    endpoint: str

    @property
    def message(self) -> str:
        """What it means."""
        return f"{self.endpoint}: plain http, the API key and the documents are sent unencrypted"


@dataclass(frozen=True, slots=True)
class LogprobsUnknown(Event):
    """Confidence was to be measured, and the model is known to give no log-probabilities."""

    name = "confidence.reported"
    level = Level.WARNING
    model: str

    @property
    def message(self) -> str:
        """What stands in for it."""
        return f"{self.model} gives no log-probabilities while it thinks first: its own confidence is taken"


def _dollars(nusd: float) -> str:
    usd = nusd / NANO
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.3g}"


def _time_span(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 2:  # noqa: PLR2004 - from two of a unit on, it is the better one
        return f"{seconds:,.0f} s"
    return f"{minutes:,.0f} min" if minutes < 120 else f"{minutes / 60:,.1f} h"  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class RowRejected(Event):
    """A row of the input cannot be used; the first few of each kind are reported one by one."""

    name = "row.rejected"
    level = Level.WARNING
    file: str
    line: int
    kind: str
    why: str

    @property
    def message(self) -> str:
        """Where, and why."""
        return f"{self.file}:{self.line}: rejected, {self.why} ({self.kind})"


@dataclass(frozen=True, slots=True)
class RowsRejected(Event):
    """So many more rows of the input cannot be used for the same reason."""

    name = "rows.rejected"
    level = Level.WARNING
    kind: str
    count: int

    @property
    def message(self) -> str:
        """How many, and where they are."""
        rows = "row is" if self.count == 1 else "rows are"
        return f"{self.count:,} more {rows} rejected ({self.kind}); failed.jsonl has each with its file and line"


@dataclass(frozen=True, slots=True)
class InputPassedOver(Event):
    """A folder or a pattern has files that are no inputs."""

    name = "input.passed_over"
    level = Level.WARNING
    folder: str
    counts: dict[str, int]
    examples: tuple[str, ...]

    @property
    def message(self) -> str:
        """How many of each kind, and a few of them."""
        counts = ", ".join(f"{what} ({count:,})" for what, count in self.counts.items())
        return f"{self.folder}: passed over: {counts}; such as {', '.join(self.examples)}"


@dataclass(frozen=True, slots=True)
class OutputsRolling(Event):
    """The outputs of a run whose input has no end yet are written every few seconds."""

    name = "outputs.rolling"
    folder: str
    every_s: float

    @property
    def message(self) -> str:
        """Where, and how often."""
        return f"results so far are in {self.folder}, in the order of arrival; written every {self.every_s:g} s or more"
