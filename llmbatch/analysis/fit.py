"""Fits a calibration, isotonic or Platt's, if it does clearly better on held-out texts.

A mapping is used only if its mean gain in log loss on held-out texts exceeds one standard error of that gain, and the
more complex of two only if it gains as much again over the simpler one (the one-standard-error rule: Breiman et al.,
Classification and Regression Trees, 1984, section 3.4.3). Fitted to confidences that are already calibrated, a mapping
adds only its own error; it is then stored in fewer than one of ten cases.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbatch.analysis.label_thresholds import LabelTable
from llmbatch.analysis.reliability import Reliability, reliability
from llmbatch.core.errors import UsageError
from llmbatch.core.plurals import counted
from llmbatch.core.rows import ConfidenceKind
from llmbatch.task.calibration import log_odds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[Any]

FOLDS = 5
_LEAST_OF_EACH = 10
"""Minimum number of right texts and of wrong texts, so that each fold has two of each."""
_SHORTEST_STEP = 1e-9
_CERTAIN = 1e-6
"""Confidences are clipped this far from 0 and 1 before taking logarithms."""


class Method(StrEnum):
    """How a calibration is fitted; auto picks what does best on held-out rows, which may be no calibration."""

    auto = "auto"
    isotonic = "isotonic"
    platt = "platt"


def parse_method(text: str) -> Method:
    """Parse a method as written by the user.

    Raises:
        UsageError: unknown method.
    """
    try:
        return Method(text)
    except ValueError:
        raise UsageError(f"--method {text!r} is unknown", hint=f"use {', '.join(Method)}") from None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How well confidences do on held-out texts."""

    log_loss: float
    """Mean negative log-likelihood, in nats; lower is better."""
    reliability: Reliability
    gain: float = 0.0
    """Mean decrease in log loss compared with the raw confidences."""
    gain_error: float = 0.0
    """Standard error of the gain, over texts."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The mapping fitted on all rows, and its cross-validated performance."""

    rows: int
    texts: int
    """Distinct texts among the rows, one observation each."""
    wrong: int
    """Texts with a wrong label."""
    raw: HeldOut
    """Performance of the raw confidences."""
    held_out: dict[str, HeldOut]
    """By method, five-fold cross-validated."""
    chosen: str | None
    """The method chosen; None if no method does clearly better than the raw confidences."""
    points: tuple[tuple[float, float], ...] = ()
    slope: float = 1.0
    intercept: float = 0.0
    ends: tuple[float, float] = (0.0, 1.0)
    """Bounds of the calibrated confidences."""


@dataclass(frozen=True, slots=True)
class VotesFit:
    """The calibration of a jury's verdicts."""

    prompt: str
    voters: str
    """The models that voted, joined by `+`, the first answer's model first."""
    rows: int
    """Verdicts with gold."""
    fit: Fit | None
    """None if there are too few verdicts."""
    remark: str | None
    """Why no calibration of the verdicts was stored."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The result of a calibration. `file` is None if nothing was stored."""

    folder: str
    task: str
    model: str
    offline: bool
    gold_file: str
    kind: ConfidenceKind
    fit: Fit | None
    """None if there are too few gold rows."""
    thresholds: LabelTable | None
    """Label thresholds, if a precision was required."""
    file: Path | None
    remark: str | None
    """Why no calibration was stored."""
    votes: VotesFit | None
    """For low-confidence rows voted on by a jury, if any have gold."""
    notes: tuple[str, ...]


def calibrated_json(calibrated: Calibrated) -> dict[str, Any]:
    """The result as `--json` prints it."""
    return {**asdict(calibrated), "file": None if calibrated.file is None else str(calibrated.file)}


def fit_calibration(
    confidences: Sequence[float],
    right: Sequence[bool],
    method: Method = Method.auto,
    texts: Sequence[Hashable] | None = None,
) -> Fit:
    """Fit a calibration of raw confidences.

    Args:
        confidences: raw confidences, one per gold row.
        right: whether each row's label is right.
        method: the method; an explicitly named one is used whether it helps or not.
        texts: text identifiers, one per row, equal for equal texts; None if all differ.

    Raises:
        UsageError: too few right or too few wrong texts.
    """
    said, was = _by_text(confidences, right, range(len(right)) if texts is None else texts)
    wrong = int((~was).sum())
    if min(wrong, len(was) - wrong) < _LEAST_OF_EACH:
        raise UsageError(
            f"too few gold rows to calibrate: {counted(len(was), 'distinct text')}, {len(was) - wrong} right and "
            f"{wrong} wrong; at least {_LEAST_OF_EACH} of each are needed",
            hint="label more rows, drawn at random",
        )
    values = {name: _cross_validated(fitter, said, was) for name, fitter in _FITTERS.items()}
    losses, raw = {name: _losses(value, was) for name, value in values.items()}, _losses(said, was)
    held_out = {name: _judged(value, was, losses[name], raw) for name, value in values.items()}
    chosen = _best(losses, raw) if method is Method.auto else method.value
    fit = Fit(len(right), len(was), wrong, _judged(said, was, raw, raw), held_out, chosen)
    return fit if chosen is None else _FITTERS[chosen](said, was).into(fit)


def _by_text(
    confidences: Sequence[float], right: Sequence[bool], texts: Sequence[Hashable]
) -> tuple["Floats", "Floats"]:
    """One observation per text: its confidence, and whether most of its rows are right."""
    import numpy as np  # noqa: PLC0415 - an extra

    rows: defaultdict[Hashable, list[bool]] = defaultdict(list)
    for was_right, text in zip(right, texts, strict=True):
        rows[text].append(was_right)
    said = {text: confidence for confidence, text in zip(confidences, texts, strict=True)}
    was = [2 * sum(rows[text]) > len(rows[text]) for text in said]
    return np.array(list(said.values()), float), np.array(was, bool)


def _best(losses: dict[str, "Floats"], raw: "Floats") -> str | None:
    helping = [name for name in losses if _is_gain(raw - losses[name])]
    if len(helping) < len(losses):
        return next(iter(helping), None)
    is_better = _is_gain(losses[Method.platt] - losses[Method.isotonic])
    return Method.isotonic.value if is_better else Method.platt.value


def _is_gain(gains: "Floats") -> bool:
    mean, error = _mean_gain(gains)
    return mean > error


def _mean_gain(gains: "Floats") -> tuple[float, float]:
    return float(gains.mean()), float(gains.std(ddof=1) / math.sqrt(len(gains)))


def _losses(said: "Floats", was: "Floats") -> "Floats":
    """Each text's negative log-likelihood, in nats."""
    import numpy as np  # noqa: PLC0415

    kept = np.clip(said, _CERTAIN, 1 - _CERTAIN)
    values: Floats = -np.log(np.where(was, kept, 1 - kept))
    return values


class _Isotonic:
    """Monotone steps, as many as the data supports; overfits small samples, which cross-validation detects."""

    def __init__(self, said: "Floats", was: "Floats") -> None:
        from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415

        low, high = _ends(was)
        model = IsotonicRegression(y_min=low, y_max=high, out_of_bounds="clip").fit(said, was.astype(float))
        self._model = model
        self._points = [(float(x), float(y)) for x, y in zip(model.X_thresholds_, model.y_thresholds_, strict=True)]

    def __call__(self, said: "Floats") -> "Floats":
        predicted: Floats = self._model.predict(said)
        return predicted

    def into(self, fit: Fit) -> Fit:
        return replace(fit, points=tuple(self._points))


class _Platt:
    """A sigmoid of the log-odds, fitted to smoothed targets (Platt, 1999): two parameters, hard to overfit."""

    def __init__(self, said: "Floats", was: "Floats") -> None:
        import numpy as np  # noqa: PLC0415
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

        right = int(was.sum())
        targets = np.where(was, (right + 1) / (right + 2), 1 / (len(was) - right + 2))
        # A target between 0 and 1 is represented by a right and a wrong row, weighted.
        twice = np.concatenate([_column(said), _column(said)])
        model = LogisticRegression(C=1e4, max_iter=1000).fit(
            twice, np.repeat([1, 0], len(was)), sample_weight=np.concatenate([targets, 1 - targets])
        )
        self._ends = _ends(was)
        # A negative slope would rank confident rows below doubtful ones: then only the share of right rows is known.
        self._slope = max(float(model.coef_[0][0]), _SHORTEST_STEP)
        share = float(was.mean())
        self._intercept = float(model.intercept_[0]) if model.coef_[0][0] > 0 else math.log(share / (1 - share))

    def __call__(self, said: "Floats") -> "Floats":
        import numpy as np  # noqa: PLC0415

        values: Floats = 1 / (1 + np.exp(-(self._slope * _column(said)[:, 0] + self._intercept)))
        return np.clip(values, *self._ends)

    def into(self, fit: Fit) -> Fit:
        return replace(fit, slope=self._slope, intercept=self._intercept, ends=self._ends)


_FITTERS: dict[str, type[_Isotonic] | type[_Platt]] = {"isotonic": _Isotonic, "platt": _Platt}


def _ends(was: "Floats") -> tuple[float, float]:
    """Bounds of the confidences: none is certain, so the ends leave room for one more text of each kind (Laplace)."""
    return 1 / (len(was) + 2), 1 - 1 / (len(was) + 2)


def _column(said: "Floats") -> "Floats":
    import numpy as np  # noqa: PLC0415

    return np.array([[log_odds(float(value))] for value in said])


def _cross_validated(fitter: Callable[["Floats", "Floats"], Any], said: "Floats", was: "Floats") -> "Floats":
    """Each text's confidence from a fit that did not see it. The folds are deterministic."""
    import numpy as np  # noqa: PLC0415
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415

    values = np.empty_like(said)
    for seen, unseen in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(said, was):
        values[unseen] = fitter(said[seen], was[seen])(said[unseen])
    return values


def _judged(said: "Floats", was: "Floats", losses: "Floats", raw: "Floats") -> HeldOut:
    found = reliability(said.tolist(), was.tolist())
    assert found is not None  # noqa: S101 - there are rows
    return HeldOut(float(losses.mean()), found, *_mean_gain(raw - losses))
