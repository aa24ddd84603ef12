"""Plots an evaluation: confusion matrix, reliability, and the effect of each review threshold.

Labels are data: matplotlib would parse `$...$` in them as formulas, so math parsing is off everywhere.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbatch.analysis.evaluation import Evaluation
from llmbatch.analysis.metrics import Scores
from llmbatch.core.errors import UsageError
from llmbatch.core.extras import extra
from llmbatch.core.files import check_own, replacing
from llmbatch.core.sanitize import neutral

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SUFFIXES = (".png", ".svg", ".pdf")
_INK, _BLUE, _RED, _GREY, _GRID = "#1f2933", "#2563a8", "#c0392b", "#9aa5b1", "#e4e7eb"
_ANNOTATED = 16
"""Maximum number of labels for which matrix cells show their counts."""


def check_plot(path: Path) -> None:
    """Check that a plot can be saved at this path before any figure is computed.

    Raises:
        UsageError: the file type or the folder is unusable, or the extra is not installed.
    """
    with extra("eval", needed_by="--plot"):
        import matplotlib as mpl  # noqa: F401, PLC0415 - only to check that it is installed
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"--plot {path}: unsupported file type", hint=f"use one of {', '.join(_SUFFIXES)}")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--plot {path}: the folder does not exist")
    check_own(path)


def save_plot(evaluation: Evaluation, path: Path) -> None:
    """Draw an evaluation.

    Raises:
        UsageError: the file cannot be written.
    """
    import matplotlib as mpl  # noqa: PLC0415 - an extra, and slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    size = min(max(len(evaluation.scores.labels) * 0.22, 5.2), 18)
    settings: dict[Any, Any] = {
        "text.parse_math": False,
        "svg.hashsalt": "llmbatch",
        "font.size": 9,
        "text.color": _INK,
        "axes.labelcolor": _INK,
        "axes.edgecolor": _GREY,
        "xtick.color": _INK,
        "ytick.color": _INK,
    }
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # missing glyphs are drawn as boxes
        mpl.rcdefaults()  # do not trust a matplotlibrc in the current folder
        mpl.rcParams.update(settings)
        figure = Figure(figsize=(size + 5.6, max(size, 6.4)), layout="constrained")
        grid = figure.add_gridspec(2, 2, width_ratios=(size, 4.6))
        _draw_matrix(figure.add_subplot(grid[:, 0]), evaluation.scores)
        _draw_reliability(figure.add_subplot(grid[0, 1]), evaluation)
        _draw_thresholds(figure.add_subplot(grid[1, 1]), evaluation)
        figure.suptitle(_title(evaluation), fontsize=11, fontweight="bold")
        try:
            kind = path.suffix.lower().removeprefix(".")
            with replacing(path, keep_mode=True) as file:
                figure.savefig(file, format=kind, dpi=144, metadata={"Date": None} if kind == "svg" else None)
        except OSError as error:
            raise UsageError(f"--plot {path}: cannot be written ({error.strerror})") from None


def _title(evaluation: Evaluation) -> str:
    subject, accuracy = evaluation.subject, evaluation.scores.accuracy
    name = f"{neutral(subject.task, limit=40)} · {neutral(subject.model, limit=40)}"
    offline = " (offline endpoint)" if subject.offline else ""
    if accuracy.value is None or accuracy.low is None or accuracy.high is None:
        return f"{name}{offline}"
    interval = f"{accuracy.low:.1%} to {accuracy.high:.1%}"
    return f"{name}{offline} · accuracy {accuracy.value:.1%} ({interval}), distinct texts: {accuracy.texts:,}"


def _draw_matrix(axes: "Axes", scores: Scores) -> None:
    """Shares of each gold label's rows, so that rare labels are as visible as frequent ones."""
    names = [neutral(label.label, limit=28) for label in scores.labels]
    shares = [[count / max(sum(row), 1) for count in row] for row in scores.matrix]
    axes.set_title("Answers by gold label", loc="left", fontweight="bold")
    if not shares:
        axes.set_axis_off()
        return
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal", interpolation="nearest")
    small = 9 if len(names) <= _ANNOTATED else min(7, 567 / len(names))  # a label gets 0.22 inches, up to 81 labels
    axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 4 else 0, fontsize=small)  # noqa: PLR2004
    axes.set_yticks(range(len(names)), names, fontsize=small)
    axes.tick_params(length=0)
    axes.set_xlabel("answer")
    axes.set_ylabel("gold")
    for spine in axes.spines.values():
        spine.set_visible(False)
    if len(names) <= _ANNOTATED:
        for n, row in enumerate(scores.matrix):
            for m, count in enumerate(row):
                if count:
                    colour = "white" if shares[n][m] > 0.55 else _INK  # noqa: PLR2004
                    axes.text(m, n, f"{count:,}", ha="center", va="center", color=colour, fontsize=8)


def _draw_reliability(axes: "Axes", evaluation: Evaluation) -> None:
    calibration = evaluation.reliability
    errors = "" if calibration is None else f"  ECE {calibration.ece:.3f}, Brier {calibration.brier:.3f}"
    axes.set_title(f"Calibration{errors}", loc="left", fontweight="bold")
    _frame(axes, "confidence", "right")
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--")
    if calibration is None:
        return
    rows = sum(one.right.total for one in calibration.bins)
    axes.bar(
        [(one.low + one.high) / 2 for one in calibration.bins],
        [one.right.total / rows for one in calibration.bins],
        width=0.092, color=_GRID, label="share of rows",
    )  # fmt: skip
    said = [one.mean_confidence for one in calibration.bins]
    was = [one.right.value or 0.0 for one in calibration.bins]
    below = [max(value - (one.right.low or 0.0), 0.0) for value, one in zip(was, calibration.bins, strict=True)]
    above = [max((one.right.high or 0.0) - value, 0.0) for value, one in zip(was, calibration.bins, strict=True)]
    axes.errorbar(said, was, yerr=[below, above], color=_BLUE, marker="o", markersize=4, capsize=2, linewidth=1.2,
                  label="right, with 95% interval")  # fmt: skip
    axes.legend(loc="upper left", frameon=False, fontsize=8)


def _draw_thresholds(axes: "Axes", evaluation: Evaluation) -> None:
    axes.set_title("Review threshold: precision and rows to review", loc="left", fontweight="bold")
    table = evaluation.thresholds
    _frame(axes, "--review-below", "share")
    if not table.rows:
        return
    at = [row.threshold for row in table.rows]
    axes.plot(at, [row.to_people_share for row in table.rows], color=_RED, linewidth=1.2, label="rows to review")
    axes.plot(at, [row.precision for row in table.rows], color=_BLUE, linewidth=1.2, label="precision of the rest")
    axes.fill_between(at, [row.at_least for row in table.rows], [row.precision for row in table.rows],
                      color=_BLUE, alpha=0.15, linewidth=0, label="its lower bound")  # fmt: skip
    axes.axhline(table.wanted, color=_GREY, linewidth=1, linestyle=":")
    if table.recommended is not None:
        axes.axvline(table.recommended.threshold, color=_INK, linewidth=1, linestyle="--")
    axes.legend(loc="center left", frameon=False, fontsize=8)


def _frame(axes: "Axes", x: str, y: str) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
