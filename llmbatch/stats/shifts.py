"""Reports what has changed between two profiles, and whether it is statistically and practically significant."""

from dataclasses import dataclass

from llmbatch.stats.profile import Distribution, Profile
from llmbatch.stats.significance import distance, distributions_differ, rates_differ, shares_differ

ALPHA = 0.001
"""Significance level over all figures of a comparison (Bonferroni): a nightly run should give a false alarm at most
once in years."""
_FIGURES = 5
_SMALLEST_SHARE = 0.01
"""A percentage point: over a million rows anything is significant, and less than this does not matter."""
_SMALLEST_DISTANCE = 0.02
_SMALLEST_CONFIDENCE = 0.01
_SMALLEST_TOKENS = 0.05
"""Of the tokens of a row before."""


@dataclass(frozen=True, slots=True)
class Shift:
    """One figure, before and after. `p` is None for names in answers, which do not vary by chance."""

    figure: str
    before: str
    after: str
    p: float | None
    is_significant: bool


def shifts(before: Profile, after: Profile) -> tuple[Shift, ...]:
    """The figures of two profiles side by side: labels, unusable answers, failures, confidence, tokens, models.

    A figure has shifted significantly where the difference is both unlikely by chance (p under 0.001 over all figures
    together, at any number of rows) and large enough to matter. Another answered model or fingerprint always counts.
    """
    return (
        _shares(before, after),
        _rate("rows with an unusable answer", (before.useless, before.rows), (after.useless, after.rows)),
        _rate("failed rows", (before.failed, before.rows), (after.failed, after.rows)),
        _mean("confidence", before.confidence, after.confidence, _SMALLEST_CONFIDENCE, decimals=3),
        _mean("tokens a row", before.tokens, after.tokens, _SMALLEST_TOKENS * before.tokens.value, decimals=0),
        _names("answered model", before.models, after.models),
        _names("system fingerprint", before.fingerprints, after.fingerprints),
    )


def _shares(before: Profile, after: Profile) -> Shift:
    moved, p = distance(before.labels, after.labels), shares_differ(before.labels, after.labels)
    names = {*before.labels, *after.labels}
    totals = max(sum(before.labels.values()), 1), max(sum(after.labels.values()), 1)
    shares = {name: (before.labels.get(name, 0) / totals[0], after.labels.get(name, 0) / totals[1]) for name in names}
    most = max(shares, key=lambda name: abs(shares[name][0] - shares[name][1]), default="")
    was, now = shares.get(most, (0.0, 0.0))
    return Shift(
        "label shares",
        f"{most} {was:.1%}",
        f"{most} {now:.1%}, {moved:.1%} moved",
        p,
        p < ALPHA / _FIGURES and moved >= _SMALLEST_DISTANCE,
    )


def _rate(figure: str, before: tuple[int, int], after: tuple[int, int]) -> Shift:
    p = rates_differ(*before, *after)
    rates = before[0] / max(before[1], 1), after[0] / max(after[1], 1)
    is_large = abs(rates[1] - rates[0]) >= _SMALLEST_SHARE
    return Shift(figure, f"{rates[0]:.2%}", f"{rates[1]:.2%}", p, p < ALPHA / _FIGURES and is_large)


def _mean(figure: str, before: Distribution, after: Distribution, smallest: float, *, decimals: int) -> Shift:
    p = distributions_differ(before, after)
    is_large = abs(after.value - before.value) >= smallest
    shown = f"{before.value:,.{decimals}f}", f"{after.value:,.{decimals}f}"
    return Shift(figure, *shown, p, p < ALPHA / _FIGURES and is_large)


def _names(figure: str, before: frozenset[str], after: frozenset[str]) -> Shift:
    is_known = bool(before) and bool(after)
    return Shift(figure, _listed(before), _listed(after), None, is_known and not after <= before)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none reported"
