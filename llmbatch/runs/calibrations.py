"""The calibration file next to the task: `contracts.toml` has `contracts.calibration.json`.

It contains one calibration, and one set of labels' thresholds, for each prompt, model and kind of confidence; a new one
replaces the old one. A packaged task has no folder to write to: its file is in the current folder.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from llmbatch.core.checksum import FORMAT, NewerFormatError, seal, unseal_file
from llmbatch.core.errors import UsageError
from llmbatch.core.files import replacing
from llmbatch.core.jsonlines import dump_line
from llmbatch.core.rows import ConfidenceKind
from llmbatch.engine.plan import Plan
from llmbatch.observe.events import CalibrationMissing, CalibrationUsed, Event, LogprobsUnknown, ThresholdsUsed
from llmbatch.task.calibration import Calibration, fitting_calibration
from llmbatch.task.label_thresholds import LabelThresholds
from llmbatch.task.load import DEFAULT_TASK, packaged_tasks

_Found = TypeVar("_Found", bound=Calibration | LabelThresholds)
NO_CALIBRATION = "none"
"""Value of `--calibration` for none."""


class CalibrationFile(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    calibrations: tuple[Calibration, ...] = ()
    thresholds: tuple[LabelThresholds, ...] = ()

    @model_serializer(mode="wrap")
    def _without_nothing(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """In the form of earlier versions, if no label has a threshold."""
        return {name: value for name, value in dump(self).items() if name != "thresholds" or value}


@dataclass(frozen=True, slots=True)
class RunConfidence:
    """How a run treats confidence, and what to report about it."""

    calibrations: tuple[Calibration, ...]
    thresholds: tuple[LabelThresholds, ...]
    """Review thresholds of labels."""
    remarks: tuple[Event, ...]


def confidence_for(plan: Plan, task: str | None, wanted: str | None) -> RunConfidence:
    """The calibrations for a run.

    Args:
        plan: of the run.
        task: its task as the user gives it; None for the default one.
        wanted: a calibration file, or `none`; None uses the task's own if there is one.

    Raises:
        UsageError: the file cannot be read, or the named one does not exist.
    """
    unknown = (LogprobsUnknown(plan.question.model),) if _asks_in_vain(plan) else ()
    if wanted == NO_CALIBRATION:
        return RunConfidence((), (), unknown)
    path = calibration_path(task) if wanted is None else Path(wanted)
    if wanted is not None and not path.is_file():
        raise UsageError(f"--calibration {path}: no such file", hint="create it with llmbatch calibrate")
    file = load_calibrations(path)
    if not file.calibrations and not file.thresholds:
        return RunConfidence((), (), unknown)
    kind = ConfidenceKind.logprobs if plan.shape.logprobs else ConfidenceKind.reported
    fitting = fitting_calibration(
        file.calibrations, prompt=plan.prompt, model=plan.question.model, kind=kind, offline=plan.offline
    )
    subject = (plan.prompt, plan.question.model, kind, plan.offline)
    limits = next((one for one in file.thresholds if _subject(one) == subject), None)
    events: list[Event] = [] if fitting is None else [CalibrationUsed(str(path), fitting.method, fitting.rows)]
    if limits is not None:
        events.append(
            ThresholdsUsed(str(path), len(limits.labels), limits.precision, has_others=limits.others is not None)
        )
    return RunConfidence(file.calibrations, file.thresholds, (*unknown, *(events or [CalibrationMissing(str(path))])))


def _asks_in_vain(plan: Plan) -> bool:
    return plan.choice.confidence is ConfidenceKind.logprobs and not plan.shape.logprobs


def calibration_path(task: str | None) -> Path:
    """The file with a task's calibrations.

    Args:
        task: a task file or the name of a packaged task, as the user gives it; None for the default task.

    Raises:
        UsageError: there is no such task here.
    """
    if task is not None and Path(task).is_file():
        return Path(task).with_suffix(".calibration.json")
    name = DEFAULT_TASK if task is None else task
    if name in packaged_tasks():
        return Path(f"{name}.calibration.json")
    raise UsageError(
        f"no task file {task} here", hint="run this in the folder where the run was started, or name a file: --out"
    )


def load_calibrations(path: Path) -> CalibrationFile:
    """The content of a file; empty if there is no such file.

    Raises:
        UsageError: it cannot be read, or is not a calibration file.
    """
    try:
        return CalibrationFile.model_validate_json(unseal_file(path.read_bytes()))
    except FileNotFoundError:
        return CalibrationFile()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise UsageError(
            f"{path}: {'.'.join(map(str, problem['loc'])) or 'content'}: {problem['msg']}",
            hint="it is not a calibration file of llmbatch; --calibration none runs without one",
        ) from None
    except NewerFormatError as error:
        raise UsageError(f"{path}: {error}", hint="--calibration none runs without one") from None
    except ValueError as error:
        raise UsageError(
            f"{path} is damaged ({error})",
            hint="llmbatch calibrate creates a new one; --calibration none runs without one",
        ) from None


def save_calibration(path: Path, calibration: Calibration | None, thresholds: LabelThresholds | None = None) -> None:
    """Add to a file, replacing what it contains for the same prompt, model and kind of confidence.

    Raises:
        UsageError: the file cannot be read or written.
    """
    old = load_calibrations(path)
    whole = CalibrationFile(
        calibrations=_with(old.calibrations, calibration), thresholds=_with(old.thresholds, thresholds)
    )
    try:
        with replacing(path) as file:
            file.write(seal(dump_line(whole.model_dump(mode="json")).rstrip(b"\n")))
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})", hint="name another file: --out") from None


def _with(old: tuple[_Found, ...], new: _Found | None) -> tuple[_Found, ...]:
    return old if new is None else (*(one for one in old if _subject(one) != _subject(new)), new)


def _subject(found: Calibration | LabelThresholds) -> tuple[object, ...]:
    return found.prompt, found.model, found.confidence, found.offline
