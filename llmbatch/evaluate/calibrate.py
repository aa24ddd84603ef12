"""Fitting a calibration: isotonic or Platt's, whichever does better on rows that it was not fitted on."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbatch.calibration import log_odds
from llmbatch.errors import UsageError
from llmbatch.evaluate.reliability import Reliability, reliability
from llmbatch.rows import ConfidenceKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[Any]

FOLDS = 5
_LEAST_OF_EACH = 10
"""Right rows and wrong rows that there must be, so that each fold has two of either."""
_SHORTEST_STEP = 1e-9


class Method(StrEnum):
    """How a calibration is fitted; auto takes what does best on held-out rows, which may be none."""

    auto = "auto"
    isotonic = "isotonic"
    platt = "platt"


def parse_method(text: str) -> Method:
    """A method as the user writes it.

    Raises:
        UsageError: there is none of that name.
    """
    try:
        return Method(text)
    except ValueError:
        raise UsageError(f"--method {text!r} is unknown", hint=f"say one of {', '.join(Method)}") from None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How confidences do on rows that had no part in the fit."""

    log_loss: float
    """Mean negative log-likelihood, in nats; lower is better."""
    reliability: Reliability


@dataclass(frozen=True, slots=True)
class Fit:
    """What was fitted, on all rows, and how its like did in cross-validation."""

    rows: int
    wrong: int
    raw: HeldOut
    """Confidences as the model gives them."""
    held_out: dict[str, HeldOut]
    """By method, five-fold cross-validated."""
    chosen: str | None
    """The method taken; None where no method does better than the raw confidences."""
    points: tuple[tuple[float, float], ...] = ()
    slope: float = 1.0
    intercept: float = 0.0


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What came of it. `file` is None where the raw confidences are as good as any, and nothing was stored."""

    folder: str
    task: str
    model: str
    offline: bool
    gold_file: str
    kind: ConfidenceKind
    fit: Fit
    file: Path | None
    notes: tuple[str, ...]


def calibrated_json(calibrated: Calibrated) -> dict[str, Any]:
    """The outcome as `--json` prints it."""
    return {**asdict(calibrated), "file": None if calibrated.file is None else str(calibrated.file)}


def fit_calibration(confidences: Sequence[float], right: Sequence[bool], method: Method = Method.auto) -> Fit:
    """Fit a calibration of raw confidences.

    Args:
        confidences: raw, one a gold row.
        right: whether each row's label is right.
        method: which to fit.

    Raises:
        UsageError: there are too few rows of either kind.
    """
    import numpy as np  # noqa: PLC0415 - an extra

    said, was = np.asarray(confidences, float), np.asarray(right, bool)
    wrong = int((~was).sum())
    if min(wrong, len(was) - wrong) < _LEAST_OF_EACH:
        raise UsageError(
            f"too few gold rows to calibrate: {len(was) - wrong} right and {wrong} wrong ones, "
            f"{_LEAST_OF_EACH} of each are needed",
            hint="label more rows, drawn at random",
        )
    raw = _judged(said, was)
    held_out = {name: _judged(_cross_validated(fitter, said, was), was) for name, fitter in _FITTERS.items()}
    if method is Method.auto:
        best = min(held_out, key=lambda name: held_out[name].log_loss)
        chosen = best if held_out[best].log_loss < raw.log_loss else None
    else:
        chosen = method.value
    fit = Fit(len(was), wrong, raw, held_out, chosen)
    if chosen is None:
        return fit
    return _FITTERS[chosen](said, was).into(fit)


class _Isotonic:
    """Monotone steps, as many as the rows ask for; overfits small samples, which cross-validation sees."""

    def __init__(self, said: "Floats", was: "Floats") -> None:
        from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415

        # No confidence is certain after so many rows: the ends keep the room of one more row (Laplace).
        ends = 1 / (len(was) + 2)
        model = IsotonicRegression(y_min=ends, y_max=1 - ends, out_of_bounds="clip").fit(said, was.astype(float))
        self._model = model
        self._points = [(float(x), float(y)) for x, y in zip(model.X_thresholds_, model.y_thresholds_, strict=True)]

    def __call__(self, said: "Floats") -> "Floats":
        predicted: Floats = self._model.predict(said)
        return predicted

    def into(self, fit: Fit) -> Fit:
        return replace(fit, points=tuple(self._points))


class _Platt:
    """A sigmoid of the log-odds (Platt, 1999): two figures, hard to overfit."""

    def __init__(self, said: "Floats", was: "Floats") -> None:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

        model = LogisticRegression(C=1e4, max_iter=1000).fit(_column(said), was)
        # Upside down, it would rank sure rows below doubtful ones: then all that is known is the share of right rows.
        self._slope = max(float(model.coef_[0][0]), _SHORTEST_STEP)
        share = float(was.mean())
        self._intercept = float(model.intercept_[0]) if model.coef_[0][0] > 0 else math.log(share / (1 - share))

    def __call__(self, said: "Floats") -> "Floats":
        import numpy as np  # noqa: PLC0415

        values: Floats = 1 / (1 + np.exp(-(self._slope * _column(said)[:, 0] + self._intercept)))
        return values

    def into(self, fit: Fit) -> Fit:
        return replace(fit, slope=self._slope, intercept=self._intercept)


_FITTERS: dict[str, type[_Isotonic] | type[_Platt]] = {"isotonic": _Isotonic, "platt": _Platt}


def _column(said: "Floats") -> "Floats":
    import numpy as np  # noqa: PLC0415

    return np.array([[log_odds(float(value))] for value in said])


def _cross_validated(fitter: Callable[["Floats", "Floats"], Any], said: "Floats", was: "Floats") -> "Floats":
    """Each row's confidence by a fit that did not see it. The folds are the same every time."""
    import numpy as np  # noqa: PLC0415
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415

    values = np.empty_like(said)
    for seen, unseen in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(said, was):
        values[unseen] = fitter(said[seen], was[seen])(said[unseen])
    return values


def _judged(said: "Floats", was: "Floats") -> HeldOut:
    from sklearn.metrics import log_loss  # noqa: PLC0415

    found = reliability(said.tolist(), was.tolist())
    assert found is not None  # noqa: S101 - there are rows
    return HeldOut(float(log_loss(was, said, labels=[False, True])), found)
