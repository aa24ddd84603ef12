"""The summary of a run, as frozen data: counted by the session, shown by the screen, printed by `--json`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from llmbatch.core.money import to_usd
from llmbatch.core.usage import UsageTotals
from llmbatch.observe.events import InputChanged
from llmbatch.stats.profile import Profile
from llmbatch.stats.shifts import Shift


@dataclass(frozen=True, slots=True)
class RowCounts:
    """The input's rows by status. Every row is in exactly one of ok, review, failed, rejected, undone.

    `failed` rows were sent and have no label; `rejected` rows could not be read and were never sent
    (both are in `failed.jsonl`); `undone` rows are still pending, after a run that ended early. Of the ok
    rows, `reviewed` have a human decision as their label.
    """

    total: int = 0
    ok: int = 0
    review: int = 0
    failed: int = 0
    rejected: int = 0
    undone: int = 0
    reviewed: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """What this session did, as opposed to the whole folder."""

    answered: int = 0
    """Rows that got a final outcome in this session."""
    reused: int = 0
    """Those of them answered without a request: with the same text as another row, or by an earlier run."""
    from_earlier_runs: int = 0
    """Those of these from the answer cache (`--reuse`)."""
    skipped: int = 0
    """Rows that an earlier session had already finished."""
    requests: int = 0
    elapsed_s: float = 0.0
    cost_nanousd: int | None = 0
    labelled: int = 0
    """Answered rows that got a label."""

    @property
    def cost_per_1000_nanousd(self) -> int | None:
        """This session's cost per 1,000 rows that it labelled; None if one is unknown, or there are none."""
        return _per_1000(self.cost_nanousd, self.labelled)

    @property
    def rows_per_s(self) -> float:
        """Rows with a final outcome per second of this session."""
        return self.answered / self.elapsed_s if self.elapsed_s > 0 else 0.0


@dataclass(frozen=True, slots=True)
class CanaryReport:
    """A canary compared with the run's own prompt and model. `share` (0..1) is its current share of the rows."""

    prompt: str
    model: str
    share: float
    dropped: str | None
    """Why it gets no more rows; None while it is on trial."""
    control: Profile
    canary: Profile
    shifts: tuple[Shift, ...]
    """In the period with a constant share in which most rows were sent."""
    compared_rows: int
    """For both arms in that period."""


@dataclass(frozen=True, slots=True)
class EscalationReport:
    """Doubtful rows that were sent to a stronger model, and how many of them no longer need review."""

    model: str
    rows: int
    settled: int
    cost_nanousd: int | None
    saved_nanousd: int | None
    """Compared with sending every row to that model; None if a price is unknown."""


@dataclass(frozen=True, slots=True)
class JuryReport:
    """Doubtful rows that were voted on."""

    models: tuple[str, ...]
    """Who votes in addition to the first answer."""
    rows: int
    """Distinct texts."""
    changed: int
    """How many of these have another label than the first answer's."""
    settled: int
    """How many no longer need review."""
    cost_nanousd: int | None
    """Cost of all votes except the first answers; None if a price is unknown."""


@dataclass(frozen=True, slots=True)
class DriftReport:
    """A run compared with an earlier one."""

    against: str
    rows_before: int
    rows: int
    shifts: tuple[Shift, ...]
    fails: bool = False
    """Whether a significant shift makes the exit code 3."""

    @property
    def significant(self) -> tuple[Shift, ...]:
        """The figures whose shift is both significant and large enough to matter."""
        return tuple(shift for shift in self.shifts if shift.is_significant)


@dataclass(frozen=True, slots=True)
class ExperimentReport:
    """Experiments in addition to the run's own plan."""

    canary: CanaryReport | None = None
    escalation: EscalationReport | None = None
    jury: JuryReport | None = None
    drift: DriftReport | None = None


@dataclass(frozen=True, slots=True)
class AtProvider:
    """The part of a run that is at the provider in batches. Its rows are among the undone ones."""

    parts: int = 0
    rows: int = 0
    """Rows with distinct texts."""
    at_most_nanousd: int = 0
    expires_at: str | None = None
    """When the first of them expires, UTC; None if the provider does not say."""


@dataclass(frozen=True, slots=True, repr=False)
class Summary:
    """One run folder at the end of a session."""

    folder: str
    state: str
    """`finished`, `incomplete` (it ended, and rows are pending), `waiting` (for batches), `interrupted`, `stopped` (by
    a guard) or `running`."""
    exit_code: int
    reason: str | None
    """Why it stopped or what went wrong, in a sentence; None if nothing did."""
    model: str
    answered_by: Mapping[str, int]
    """Rows by the model name in the answers."""
    endpoint: str
    offline: bool
    task: str
    prompt: str
    """The prompt's fingerprint."""
    prefix_tokens: int
    cached_prefix_tokens: int = 0
    """Those of them that the provider's cache should serve from the second row on."""
    pool_examples: int = 0
    """How many examples of the task's pool are in the prefix."""
    prefix_why: str = ""
    """What was decided about the prefix, and why, in one line."""
    rows: RowCounts = RowCounts()
    labels: Mapping[str, int] = field(default_factory=dict)
    """Rows by label (ok and review), in the task's order, including labels without rows."""
    service_tiers: Mapping[str, int] = field(default_factory=dict)
    """Rows by the service tier that their answers report."""
    spent: UsageTotals = UsageTotals()
    """All requests of the run folder, including earlier sessions."""
    session: Session = Session()
    retries: Mapping[str, int] = field(default_factory=dict)
    """Retries by reason, such as `rate_limit`, `timeout`, `server_error`."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failed and rejected rows by kind, such as `too_long`, `invalid`, `bad_json`."""
    flags: Mapping[str, int] = field(default_factory=dict)
    """Rows by flag: `truncated`, `usage_missing`, `cost_above_bound`."""
    parse: Mapping[str, int] = field(default_factory=dict)
    """Answers by how they were parsed: `clean`, `repaired`, and the kinds that could not be."""
    at_provider: AtProvider = AtProvider()
    experiments: ExperimentReport = ExperimentReport()
    input_changes: tuple[InputChanged, ...] = ()
    """Inputs that have changed since the previous session, or while they were read."""
    files: Mapping[str, str] = field(default_factory=dict)
    """The views by name: results, review, failed, sample, ledger."""
    notes: tuple[str, ...] = ()
    """Notes for the user, each a sentence."""
    to_do: str = ""
    """What to do about the reason of a stop, in words."""
    next_commands: tuple[str, ...] = ()
    """Commands to run next."""

    def __repr__(self) -> str:
        rows, nanousd = self.rows, self.spent.cost_nanousd
        cost = "at an unknown cost" if nanousd is None else f"${to_usd(nanousd):,.6g}"
        counts = f"{rows.ok:,} ok, {rows.review:,} in review, {rows.failed + rows.rejected:,} failed"
        pending = f", {rows.undone:,} pending" if rows.undone else ""
        return f"<Summary of {self.folder}: {self.state}, {rows.total:,} rows: {counts}{pending}; {cost}>"

    @property
    def has_ended_by_itself(self) -> bool:
        """Whether the session processed all rows that it was meant to send."""
        return self.state in ("finished", "incomplete")

    @property
    def cost_per_1000_nanousd(self) -> int | None:
        """All sessions' cost per 1,000 rows that they labelled; None if one is unknown, or there are none."""
        return _per_1000(self.spent.cost_nanousd, self.spent.labelled)


def summary_json(summary: Summary) -> dict[str, Any]:
    """The summary as `--json` prints it: stable names, costs in US dollars, null if a price is unknown."""
    rows, spent, session = summary.rows, summary.spent, summary.session
    return {
        "folder": summary.folder,
        "state": summary.state,
        "exit_code": summary.exit_code,
        "reason": summary.reason,
        "model": summary.model,
        "answered_by": dict(summary.answered_by),
        "service_tiers": dict(summary.service_tiers),
        "endpoint": summary.endpoint,
        "offline": summary.offline,
        "task": summary.task,
        "prompt": summary.prompt,
        "prefix_tokens": summary.prefix_tokens,
        "prefix": {
            "cached_tokens": summary.cached_prefix_tokens,
            "pool_examples": summary.pool_examples,
            "why": summary.prefix_why,
        },
        "rows": asdict(rows),
        "labels": dict(summary.labels),
        "usage": {
            "requests": spent.requests,
            **_tokens_json(spent),
            "cost_usd": _usd(spent.cost_nanousd),
            "cost_per_1000_rows_usd": _usd(summary.cost_per_1000_nanousd),
            "possibly_billed_usd": _usd(spent.possibly_billed_nanousd),
            "possibly_billed_requests": spent.possibly_billed_requests,
            "saved_usd": _usd(spent.saved_nanousd),
        },
        "session": {
            "answered": session.answered,
            "reused": session.reused,
            "from_earlier_runs": session.from_earlier_runs,
            "skipped": session.skipped,
            "requests": session.requests,
            "elapsed_s": round(session.elapsed_s, 3),
            "rows_per_s": round(session.rows_per_s, 1),
            "cost_usd": _usd(session.cost_nanousd),
            "labelled": session.labelled,
            "cost_per_1000_rows_usd": _usd(session.cost_per_1000_nanousd),
        },
        "retries": dict(summary.retries),
        "failures": dict(summary.failures),
        "flags": dict(summary.flags),
        "parse": dict(summary.parse),
        "at_provider": {
            "parts": summary.at_provider.parts,
            "rows": summary.at_provider.rows,
            "at_most_usd": _usd(summary.at_provider.at_most_nanousd),
            "expires_at": summary.at_provider.expires_at,
        },
        **experiments_json(summary.experiments),
        "input_changes": [change.fields() for change in summary.input_changes],
        "files": dict(summary.files),
        "notes": list(summary.notes),
        "to_do": summary.to_do,
        "next_commands": list(summary.next_commands),
    }


def experiments_json(experiments: ExperimentReport) -> dict[str, Any]:
    """Experiments in addition to the run's own plan, as JSON data; those not used are left out."""
    data: dict[str, Any] = {}
    if experiments.canary is not None:
        data["canary"] = canary_json(experiments.canary)
    if (escalation := experiments.escalation) is not None:
        data["escalation"] = {
            "model": escalation.model,
            "rows": escalation.rows,
            "settled": escalation.settled,
            "cost_usd": _usd(escalation.cost_nanousd),
            "saved_usd": _usd(escalation.saved_nanousd),
        }
    if (jury := experiments.jury) is not None:
        data["jury"] = {
            "models": list(jury.models),
            "rows": jury.rows,
            "changed": jury.changed,
            "settled": jury.settled,
            "cost_usd": _usd(jury.cost_nanousd),
        }
    if experiments.drift is not None:
        data["drift"] = drift_json(experiments.drift)
    return data


def canary_json(report: CanaryReport) -> dict[str, Any]:
    """A canary's report as JSON data."""
    return {
        "prompt": report.prompt,
        "model": report.model,
        "share": report.share,
        "dropped": report.dropped,
        "arms": {"control": profile_json(report.control), "canary": profile_json(report.canary)},
        "shifts": [asdict(shift) for shift in report.shifts],
        "compared_rows": report.compared_rows,
    }


def drift_json(report: DriftReport) -> dict[str, Any]:
    """What has shifted since an earlier run, as JSON data."""
    return {
        "against": report.against,
        "rows_before": report.rows_before,
        "rows": report.rows,
        "shifts": [asdict(shift) for shift in report.shifts],
        "significant": [shift.figure for shift in report.significant],
    }


def profile_json(profile: Profile) -> dict[str, Any]:
    """A profile as JSON data: means per row, costs in US dollars."""
    return {
        "rows": profile.rows,
        "failed": profile.failed,
        "useless": profile.useless,
        "labels": dict(profile.labels),
        "confidence": round(profile.confidence.value, 4),
        "tokens": round(profile.tokens.value, 1),
        "latency_s": round(profile.latency_s.value, 3) if profile.latency_s.count else None,
        "cost_usd": _usd(profile.cost_nanousd),
        "models": sorted(profile.models),
        "fingerprints": sorted(profile.fingerprints),
    }


def _per_1000(nanousd: int | None, rows: int) -> int | None:
    return round(nanousd * 1000 / rows) if nanousd is not None and rows else None


def _usd(nanousd: int | None) -> float | None:
    return None if nanousd is None else to_usd(nanousd)


def _tokens_json(spent: UsageTotals) -> dict[str, float | None]:
    """Null means that no answer has reported it."""
    share = spent.cached_share
    cached = {
        "cached_input_tokens": None if share is None else spent.cached_input_tokens,
        "cache_write_tokens": None if share is None else spent.cache_write_tokens,
        "cached_share": None if share is None else round(share, 4),
    }
    counts = {
        "input_tokens": spent.input_tokens,
        "output_tokens": spent.output_tokens,
        "reasoning_tokens": spent.reasoning_tokens,
    }
    return cached | {name: count if spent.is_usage_reported else None for name, count in counts.items()}
