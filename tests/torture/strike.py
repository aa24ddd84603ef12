"""Make the N-th write, fsync or rename of a running program in its run folder fail, or kill the program there.

`strace` injects the fault from outside; it counts the calls of each thread separately, and only those on
files of the run folder.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.program import REPOSITORY, environment
from tests.torture.programs import BESIDE

KILL = "signal=SIGKILL"
SHORT = [sys.executable, "-c", "from tests.torture.programs import main; main()"]
LONG = [sys.executable, "-c", "from tests.torture.programs import main_of_a_long_session; main_of_a_long_session()"]
"""The program as it acts in a session of 80,000 rows or more."""
FILES = (
    "ledger.jsonl",
    "sent.log",
    "ledger.checkpoint",
    "reserve",
    ".lock",
    "run.json",
    "decisions.jsonl",
    "views.json",
)
VIEWS = ("results", "review", "failed", "sample")
MISSING = "strace is not installed: apt-get install strace" if shutil.which("strace") is None else None


@dataclass(frozen=True)
class Strike:
    """The `nth` of these calls, and its fault (`signal=SIGKILL`, `error=EIO`); with `on`, later calls get it too."""

    call: str
    blow: str
    nth: int
    on: bool = False

    @property
    def expression(self) -> str:
        return f"{self.call}:{self.blow}:when={self.nth}{'+' if self.on else ''}"


@dataclass(frozen=True)
class Struck:
    """The outcome. `hit` is false if the program made no such call: the sweep is complete."""

    hit: bool
    code: int
    err: str


def strike(folder: Path, run: str, command: tuple[str, ...], blow: Strike, *, program: list[str]) -> Struck:
    """Run a command in a folder and inject a fault.

    Args:
        folder: its working folder.
        run: the name of the run folder in it.
        command: the arguments of llmbatch.
        blow: the call and the fault.
        program: the program to run.
    """
    names = (*FILES, *(f"{view}.jsonl" for view in VIEWS), *BESIDE)
    files = [Path(run), *(Path(run, name) for name in names)]
    paths = [part for file in files for path in (file, folder / file) for part in ("-P", str(path))]
    trace = folder / "trace"
    done = subprocess.run(
        [
            "strace",
            "-f",
            "-qq",
            "-o",
            trace,
            *paths,
            f"--trace={blow.call}",
            f"--inject={blow.expression}",
            *program,
            *command,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd=folder,
        env=environment(PYTHONPATH=str(REPOSITORY)),
        timeout=100,
    )
    log = trace.read_text()
    trace.unlink()
    return Struck("(INJECTED)" in log or "killed by SIGKILL" in log, done.returncode, done.stderr.decode())
