"""Whether rows may share requests, from what comparisons have measured; used by `--rows-per-request auto`."""

from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import Struct, ValidationError
from msgspec.json import decode

from llmbatch.core.files import open_to_read
from llmbatch.core.shares import parse_percentage
from llmbatch.engine.packing.plans import AutoPacking, Packing, can_be_packed
from llmbatch.engine.plan import Plan
from llmbatch.observe.events import PackingDecided
from llmbatch.runs.folder import STDIN, RunFolder
from llmbatch.runs.options import RunOptions

COMPARED = "compare.json"


@dataclass(frozen=True, slots=True)
class PackingTrial:
    """Rows in packs compared with the same rows alone. Shares are 0..1."""

    fingerprint: str
    """Fingerprint of the plan of both."""
    rows_per_request: int
    texts: int
    """Rows that have a label in both arms; with gold, rows that have a gold label."""
    agreement: float
    agreement_low: float
    """The lower end of its 95% interval."""
    difference: float | None = None
    """Difference in accuracy, packed minus single; None without gold."""
    difference_low: float | None = None
    cost_ratio: float | None = None
    """The packed rows' cost divided by that of single rows; None if a price is not known."""

    @property
    def most_lost(self) -> float:
        """Share of rows that may be labelled worse, at the interval's end; without gold, each difference counts."""
        return 1 - self.agreement_low if self.difference_low is None else max(-self.difference_low, 0.0)

    @property
    def described(self) -> str:
        """What was measured, in a few words."""
        if self.difference is None or self.difference_low is None:
            low = f"{self.agreement_low:.1%} at the low end"
            return f"{self.agreement:.1%} of {self.texts:,} texts labelled the same, {low}"
        low = f"{100 * self.difference_low:+.1f} at the low end"
        return f"accuracy {100 * self.difference:+.1f} points on {self.texts:,} texts, {low}"


class _Compared(Struct):
    """The fields of a comparison's file that are needed here."""

    packings: tuple[PackingTrial, ...] = ()


def parse_packing_loss(text: str) -> float:
    """A share as the user writes it: `0.5%`.

    Raises:
        UsageError: it is not a percentage from 0 to 100.
    """
    return parse_percentage("--max-packing-loss", text, hint="use --max-packing-loss 0.5%")


def comparison_folder(inputs: tuple[str, ...], *, offline: bool) -> Path:
    """The folder in which `llmbatch compare` keeps the comparison on these inputs by default."""
    run = RunFolder.for_inputs(inputs, None, offline=offline).path
    return run.with_name(f"{run.stem}.compare.llmbatch")


def with_allowed_packing(options: RunOptions, plan: Plan) -> tuple[RunOptions, tuple[PackingDecided, ...]]:
    """The options with `auto` decided, and what to report about it.

    Args:
        options: the run's.
        plan: of the run.
    """
    auto = options.auto_packing
    if auto is None:
        return options, ()
    trial, why = _decided(options, plan, auto)
    packing = None if trial is None else Packing(trial.rows_per_request, auto.seed)
    event = PackingDecided(1 if trial is None else trial.rows_per_request, why)
    return replace(options, sending=replace(options.sending, packing=packing)), (event,)


def _decided(options: RunOptions, plan: Plan, auto: AutoPacking) -> tuple[PackingTrial | None, str]:
    """The comparison that allows it, if one does; and why, or why not."""
    if not can_be_packed(plan):
        return None, "each document has a list of its own in the prompt"
    if options.canary is not None:
        return None, "a canary is compared on rows sent one to a request"
    trials = [trial for trial in _trials(options) if trial.fingerprint == plan.fingerprint]
    allowed = [trial for trial in trials if trial.most_lost <= auto.most_lost]
    limit = f"--max-packing-loss {auto.most_lost:.1%}"
    if allowed:
        best = min(allowed, key=lambda trial: (trial.cost_ratio or 1.0, -trial.rows_per_request))
        return best, f"{best.described}, within {limit}"
    if not trials:
        compare = "llmbatch compare INPUT --rows-per-request 1 --rows-per-request 10 --rows 1000"
        return None, f"no comparison has measured this prompt and model with packed rows; run {compare}"
    closest = min(trials, key=lambda trial: trial.most_lost)
    more = "" if closest.difference is not None else "; --gold measures the loss itself, more --rows narrow it"
    return None, f"{closest.rows_per_request} a request may lose more than {limit}: {closest.described}{more}"


def _trials(options: RunOptions) -> tuple[PackingTrial, ...]:
    """What the comparison on the run's inputs has measured; empty if there is no readable one."""
    if STDIN in options.inputs:
        return ()
    folder = comparison_folder(options.inputs, offline=options.sending.offline)
    try:
        with open_to_read(folder / COMPARED) as file:
            return decode(file.read(), type=_Compared).packings
    except (OSError, ValueError, ValidationError):
        return ()
