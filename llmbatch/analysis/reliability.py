"""Reliability of confidence: whether a confidence of 0.8 means that four of five are right."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from llmbatch.analysis.metrics import Proportion, proportion

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows whose confidence is in [low, high), the last bin including 1; empty bins are left out."""

    low: float
    high: float
    mean_confidence: float
    right: Proportion


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well calibrated the confidence is."""

    bins: tuple[Bin, ...]
    mean_confidence: float
    ece: float
    """Expected calibration error: the bins' mean gap between confidence and accuracy, weighted by rows (Guo et al.,
    2017)."""
    brier: float
    """Mean squared difference between confidence and being right (Brier, 1950); lower is better."""
    auroc: float | None
    """How well confidence ranks right rows above wrong ones (0.5 is chance); None if all are right or all wrong."""


def reliability(
    confidences: Sequence[float], right: Sequence[bool], texts: Sequence[Hashable] | None = None
) -> Reliability | None:
    """Compute reliability over ten bins of equal width; None without rows. `texts`: as for `proportion`."""
    import numpy as np  # noqa: PLC0415 - an extra
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415

    if not confidences:
        return None
    said, was = np.asarray(confidences, float), np.asarray(right, bool)
    # Round first: 0.7 * 10 must not end up just below 7, nor 0.3 * 10 above 3.
    number = np.minimum(np.floor(np.round(said * BINS, 9)), BINS - 1).astype(int)

    def bin_of(n: int, places: list[int]) -> Bin:
        its_texts = None if texts is None else [texts[place] for place in places]
        its_right = proportion(int(was[places].sum()), len(places), its_texts)
        return Bin(n / BINS, (n + 1) / BINS, float(said[places].mean()), its_right)

    places = [np.flatnonzero(number == n).tolist() for n in range(BINS)]
    bins = tuple(bin_of(n, its_places) for n, its_places in enumerate(places) if its_places)
    gaps = sum(one.right.total * abs((one.right.value or 0.0) - one.mean_confidence) for one in bins)
    return Reliability(
        bins=bins,
        mean_confidence=float(said.mean()),
        ece=gaps / len(said),
        brier=float(((said - was) ** 2).mean()),
        auroc=float(roc_auc_score(was, said)) if was.any() and not was.all() else None,
    )
