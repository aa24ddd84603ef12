"""A calibration: maps a model's confidence to the share of such rows that are right.

Fitted by `llmbatch calibrate`, stored next to the task file, and applied here without any library. It applies only to
the prompt, the model and the kind of confidence that it was fitted for.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from llmbatch.core.rows import ConfidenceKind

_LEAST = 1e-6
"""Confidences of 0 and 1 have no finite log-odds; they are clipped this far from the ends."""


class Calibration(BaseModel):
    """One fitted mapping, monotone, from raw confidence in 0..1 to calibrated confidence in 0..1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str
    """Fingerprint of the prompt that it was fitted for."""
    model: str
    """For votes, all models that voted, joined by `+`."""
    offline: bool
    confidence: ConfidenceKind | Literal["votes"]
    method: Literal["isotonic", "platt"]
    points: tuple[tuple[float, float], ...] = ()
    """Isotonic: raw and calibrated values, interpolated linearly, constant beyond the ends."""
    slope: float = 1.0
    intercept: float = 0.0
    """Platt: `1 / (1 + exp(-(slope * logit(raw) + intercept)))`."""
    ends: tuple[float, float] = (0.0, 1.0)
    """Bounds of calibrated confidences: with finite data, none is certain."""
    rows: int
    """Number of gold rows it was fitted on."""
    gold: str
    """Digest of the gold file."""
    fitted_at: str

    def of(self, raw: float) -> float:
        """The calibrated confidence, to six decimals."""
        value = self._sigmoid(raw) if self.method == "platt" else self._interpolated(raw)
        return round(min(max(value, self.ends[0]), self.ends[1]), 6)

    def _sigmoid(self, raw: float) -> float:
        exponent = self.slope * log_odds(raw) + self.intercept
        return 1 / (1 + math.exp(-exponent)) if exponent >= 0 else math.exp(exponent) / (1 + math.exp(exponent))

    def _interpolated(self, raw: float) -> float:
        right = bisect_right(self.points, raw, key=lambda point: point[0])
        if right == 0:
            return self.points[0][1]
        if right == len(self.points):
            return self.points[-1][1]
        (x0, y0), (x1, y1) = self.points[right - 1], self.points[right]
        return y0 + (y1 - y0) * (raw - x0) / (x1 - x0)


def log_odds(share: float) -> float:
    """`ln(p / (1 - p))`, finite even at the ends."""
    kept = min(max(share, _LEAST), 1 - _LEAST)
    return math.log(kept / (1 - kept))


def fitting_calibration(
    calibrations: Iterable[Calibration], *, prompt: str, model: str, kind: str, offline: bool
) -> Calibration | None:
    """The calibration that applies to such confidences, or None."""
    wanted = (prompt, model, kind, offline)
    return next((one for one in calibrations if (one.prompt, one.model, one.confidence, one.offline) == wanted), None)
