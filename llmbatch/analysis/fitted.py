"""Fits a calibration to pairs of gold labels and answers, and converts it to its stored form."""

from collections.abc import Sequence
from typing import Literal

from llmbatch.analysis.fit import Fit, Method, fit_calibration
from llmbatch.analysis.pairs import Pair
from llmbatch.core.errors import UsageError
from llmbatch.core.rows import ConfidenceKind
from llmbatch.runs.folder import now_text
from llmbatch.task.calibration import Calibration


def fitted(used: Sequence[Pair], method: Method, *, must: bool) -> tuple[Fit | None, str | None]:
    """The calibration of these rows, or why none is stored. With `must`, too few rows are an error.

    Raises:
        UsageError: too few right or too few wrong texts.
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
    """Convert a fit to its stored form.

    Args:
        fit: a fit with a chosen method.
        prompt: fingerprint of the prompt it applies to.
        model: the model it applies to; for votes, all that voted.
        kind: the kind of confidence.
        offline: whether the answers are from the offline endpoint.
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
