"""What a calibration comes to on pairs of gold labels and answers, and as it is stored."""

from collections.abc import Sequence
from typing import Literal

from llmbatch.analysis.fit import Fit, Method, fit_calibration
from llmbatch.analysis.pairs import Pair
from llmbatch.core.errors import UsageError
from llmbatch.core.rows import ConfidenceKind
from llmbatch.runs.folder import now_text
from llmbatch.task.calibration import Calibration


def fitted(used: Sequence[Pair], method: Method, *, must: bool) -> tuple[Fit | None, str | None]:
    """The calibration of these rows, and why none is stored; `must`: too few rows are an error.

    Raises:
        UsageError: there are too few texts of either kind.
    """
    try:
        fit = fit_calibration(
            [pair.confidence_raw or 0.0 for pair in used],
            [pair.is_right for pair in used],
            method,
            [pair.text_id for pair in used],
        )
    except UsageError as error:
        if must:
            raise
        return None, error.message
    better = "no method is clearly better than the uncalibrated confidence on held-out texts"
    return fit, better if fit.chosen is None else None


def as_calibration(
    fit: Fit, prompt: str, model: str, kind: ConfidenceKind | Literal["votes"], *, offline: bool, gold: str
) -> Calibration:
    """A fit as it is stored.

    Args:
        fit: with a method that was chosen.
        prompt: fingerprint of the prompt that it holds for.
        model: that it holds for; of votes, all that voted.
        kind: of the confidence.
        offline: whether the answers are the offline endpoint's.
        gold: digest of the gold file.
    """
    return Calibration(
        prompt=prompt,
        model=model,
        offline=offline,
        confidence=kind,
        method="isotonic" if fit.chosen == Method.isotonic else "platt",
        points=fit.points,
        slope=fit.slope,
        intercept=fit.intercept,
        ends=fit.ends,
        rows=fit.rows,
        gold=gold,
        fitted_at=now_text(),
    )
