"""One-time alerts that a share of a budget is spent, and the user's command to run then."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from llmbatch.core.errors import UsageError
from llmbatch.observe.events import AlertCommandFailed, BudgetAlert, Event

COMMAND_TIMEOUT_S = 30.0
_HIDDEN = (  # an alert command does not need the model's API key
    "OPENAI_API_KEY",
    "OPENAI_ADMIN_KEY",
    "OPENAI_WEBHOOK_SECRET",
    "AZURE_OPENAI_API_KEY",
    "AZURE_OPENAI_AD_TOKEN",
    "ANTHROPIC_API_KEY",
)
_LONGEST_TOLD = 200
_PREFIX = "LLMBATCH_ALERT_"
_OF_THE_ALERT = ("budget", "percent", "spent_usd", "cap_usd", "day")
VARIABLES = frozenset(f"{_PREFIX}{name.upper()}" for name in (*_OF_THE_ALERT, "run"))
"""The command's environment variables."""


@dataclass(frozen=True, slots=True)
class Level:
    """How far a budget is spent. `option` is its option, such as `--max-cost`; `day` is set for a daily one."""

    option: str
    spent_nanousd: int
    cap_nanousd: int
    day: str | None = None

    def has_passed(self, percent: float) -> bool:
        """Whether that share is spent, computed in integers, like all money."""
        return self.spent_nanousd * 100_000_000 >= self.cap_nanousd * round(percent * 1_000_000)


def parse_percents(text: str) -> tuple[float, ...]:
    """Parse shares as written by the user, `80%` or `50%,80%`, into ascending percentages.

    Raises:
        UsageError: one is not between 0% and 100%.
    """
    try:
        percents = sorted({float(part.strip().removesuffix("%")) for part in text.split(",")})
    except ValueError:
        percents = []
    if not percents or not all(0 < percent <= 100 for percent in percents):  # noqa: PLR2004 - percent
        raise UsageError(f"--alert-at {text!r} is not a share", hint="use --alert-at 80% or --alert-at 50%,80%")
    return tuple(percents)


class Alerts:
    """Watches how far budgets are spent. Each share of each budget is reported once."""

    def __init__(
        self, percents: tuple[float, ...], *, emit: Callable[[Event], None], command: "AlertCommand | None"
    ) -> None:
        self._percents = percents
        self._emit = emit
        self._command = command
        self._passed: set[tuple[str, str | None, float]] = set()
        self._looking = threading.Lock()

    def was_at(self, level: Level) -> None:
        """Mark the shares already spent as reported by an earlier session."""
        self._passed.update(self._newly_passed(level))

    def look(self, level: Level, *, claim: Callable[[float], bool] = lambda _: True) -> None:
        """Report the share passed since the last call; if several at once, the highest.

        Args:
            level: how far the budget is spent.
            claim: whether this process should send the alert, if others watch the same budget; blocks.
        """
        with self._looking:
            new = self._newly_passed(level)
            self._passed.update(new)
        claimed = [percent for *_, percent in new if claim(percent)]
        if not claimed:
            return
        alert = BudgetAlert(level.option, claimed[-1], level.spent_nanousd, level.cap_nanousd, level.day)
        self._emit(alert)
        if self._command is not None:
            self._command.run(alert)

    def close(self) -> None:
        """Wait for running commands, each up to its time limit."""
        if self._command is not None:
            self._command.wait()

    def _newly_passed(self, level: Level) -> list[tuple[str, str | None, float]]:
        passed = [(level.option, level.day, percent) for percent in self._percents if level.has_passed(percent)]
        return [one for one in passed if one not in self._passed]


class AlertCommand:
    """The user's alert command, run by the shell in a separate thread; whatever it does, the run continues.

    It gets its data in environment variables (docs/how-to/budgets.md), never in the command text.
    """

    def __init__(
        self, command: str, *, run_folder: str, emit: Callable[[Event], None], timeout_s: float = COMMAND_TIMEOUT_S
    ) -> None:
        self._command = command
        self._run_folder = run_folder
        self._emit = emit
        self._timeout_s = timeout_s
        self._threads: list[threading.Thread] = []

    def run(self, alert: BudgetAlert) -> None:
        """Start the command."""
        thread = threading.Thread(
            target=self._run, args=(self._environment(alert),), name="llmbatch-alert", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Wait until all started commands have ended."""
        for thread in self._threads:
            thread.join()

    def _run(self, environment: Mapping[str, str]) -> None:
        try:
            process = subprocess.Popen(  # noqa: S602 - the user's own command line, for the user's own shell
                self._command,
                shell=True,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            self._emit(AlertCommandFailed(f"it cannot be started ({error.strerror})"))
            return
        try:
            _, said = process.communicate(timeout=self._timeout_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            self._emit(AlertCommandFailed(f"it did not end within {self._timeout_s:g} s and was killed"))
            return
        if process.returncode:
            last = said.decode("utf-8", "replace").strip().rpartition("\n")[2][:_LONGEST_TOLD]
            self._emit(AlertCommandFailed(f"exit status {process.returncode}{f': {last}' if last else ''}"))

    def _environment(self, alert: BudgetAlert) -> dict[str, str]:
        fields = alert.fields()
        figures = {f"{_PREFIX}{name.upper()}": str(fields[name]) for name in _OF_THE_ALERT}
        kept = {name: value for name, value in os.environ.items() if name not in _HIDDEN}
        return {**kept, **figures, f"{_PREFIX}RUN": self._run_folder}
