"""llmbatch as processes that start at once: forked from one that has imported all that a run needs.

Each command is a process of its own with the real command line in it, from `main()` to the last exit handler; what it
saves is a second of imports, and a tenth to take them all apart again. A few tests still start the program as a shell
does, so that a missing import shows.

    python -m tests.e2e.forked SOCKET FILE [MODULE...]

serves at the path SOCKET, on which the open FILE listens, with these modules loaded besides.
"""

import atexit
import gc
import json
import marshal
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from llmbatch.core import own_program
from tests.torture.steps import die_at

_LONGEST_REQUEST = 1 << 20
_ALONE_AFTER_S = 10.0
"""How soon a process notices that the tests were killed."""
CONSTANTS = "CONSTANTS_OF_TEST"
"""Variable with a JSON object: constants of modules that are others in this command, so that small runs do what only
long ones do."""
WRITTEN = "NAMES_WRITTEN_OF_TEST"
"""Variable with a file: the command notes there each name that it opens for writing, makes or renames to."""
SURROUNDINGS = "SURROUNDINGS_OF_TEST"
"""Variable with a JSON object: the `user` (a number, with no entry in the user database) that this command runs as, and
its `limits` by their names in `resource`."""
STARTS_ENDPOINT = "STARTS_ENDPOINT_OF_TEST"
"""Variable that has this command start its offline endpoint as it really does, not as a fork."""
DIES_AT = "DIES_AT_OF_TEST"
"""Variable with a number: at that step on its way (see `tests/torture/steps.py`) the command kills itself. Functions of
`os` may follow, whose calls alone are steps then."""
_LOADED_LATE = (
    "_codecs_cn",
    "_codecs_hk",
    "_codecs_iso2022",
    "_codecs_jp",
    "_codecs_kr",
    "_codecs_tw",
    "anyio.abc",
    "charset_normalizer",
    "ctypes",
    "encodings.idna",
    "encodings.utf_8_sig",
    "httpcore2",
    "llmbatch.analysis.attribution",
    "llmbatch.analysis.compare",
    "llmbatch.analysis.spent",
    "llmbatch.cache.answers",
    "llmbatch.cli.app",
    "llmbatch.cli.confirm",
    "llmbatch.cli.outcome",
    "llmbatch.cli.usage",
    "llmbatch.cli.version",
    "llmbatch.provider.bounds",
    "llmbatch.runs.rates.postgresql",
    "llmbatch.runs.rates.sqlite",
    "llmbatch.session.run",
    "llmbatch.session.batches.manage",
    "llmbatch.session.canary_report",
    "llmbatch.session.merging",
    "llmbatch.session.retry_estimate",
    "llmbatch.session.standing",
    "llmbatch.spend.report",
    "llmbatch.terminal.comparison",
    "llmbatch.terminal.estimate",
    "llmbatch.terminal.input",
    "llmbatch.terminal.live",
    "llmbatch.terminal.logfile",
    "llmbatch.terminal.prompt",
    "llmbatch.terminal.spending",
    "llmbatch.terminal.tables",
    "llmbatch.report.from_run",
    "llmbatch.simulate.process",
    "llmbatch.simulate.server",
    "llmbatch.review.export",
    "llmbatch.review.session",
    "llmbatch.task.template",
    "llmbatch.telemetry.watch",
    "obstore",
    "tiktoken",
    "typer._adapters",
    "typer._click.decorators",
    "uvloop",
)
_STATISTICS = (
    "scipy.stats",
    "sklearn.feature_extraction.text",
    "sklearn.isotonic",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
)
_NEEDS_STATISTICS = (
    *("evaluate", "calibrate", "compare", "report", "canary", "--candidates", "--examples", "--gold"),
    *("--decisions", "learning.toml", "tree.toml"),
)
"""What a command line has that needs them. They are a process of their own, since they make every fork dearer."""
SERVERS = "FORKED_OF_TEST"
"""Variable with the folder of processes to fork from that all workers of a test run share."""


_CLIENT = """
import _signal, _socket, marshal, posix, sys
variables = {{name.decode(errors="surrogateescape"): value.decode(errors="surrogateescape")
    for name, value in posix.environ.items()}}
signals = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM, _signal.SIGWINCH)
ignored = [number for number in signals if _signal.getsignal(number) == _signal.SIG_IGN]
posix.umask(mask := posix.umask(0))
request = marshal.dumps({{"arguments": sys.argv[{first}:], "cwd": posix.getcwd(), "env": variables,
    "umask": mask, "ignored": ignored}})
connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
line = " ".join(sys.argv[{first}:])
server = "statistics" if any(word in line for word in {words!r}) else "plain"
connection.connect({folder!r} + "/" + server)
files = b"".join(file.to_bytes(4, sys.byteorder) for file in (0, 1, 2))
connection.sendmsg([request], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
for number in signals:
    if number not in ignored:
        _signal.signal(number, lambda number, _: connection.send(bytes([number])))
code = int(connection.recv(100))
if code < 0:
    _signal.signal(-code, _signal.SIG_DFL)
    posix.kill(posix.getpid(), -code)
sys.exit(code)
"""
"""A script that imports only what is built in, to be quick."""


def client(folder: Path, first: int) -> str:
    """A Python script that is the command of its arguments from the `first` on, forked from a process of a folder."""
    return _CLIENT.format(folder=str(folder), first=first, words=_NEEDS_STATISTICS)


class Forked:
    """Processes to fork from, in a folder: the client's side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(
        self, arguments: list[str], *, cwd: Path, env: dict[str, str], files: tuple[int, int, int], timeout_s: float
    ) -> int:
        """Run a command to its end. Returns its exit code, negative where a signal ended it.

        Args:
            arguments: of `llmbatch`.
            cwd: the folder that it runs in.
            env: its whole environment.
            files: its standard input, output and error.
            timeout_s: raises TimeoutError when it takes longer.
        """
        os.umask(mask := os.umask(0))
        request = marshal.dumps({"arguments": arguments, "cwd": str(cwd), "env": env, "umask": mask, "ignored": []})
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(timeout_s)
            line = " ".join(arguments)
            server = "statistics" if any(word in line for word in _NEEDS_STATISTICS) else "plain"
            connection.connect(str(self.folder / server))
            socket.send_fds(connection, [request], files)
            return int(connection.recv(100))


def start_forked(environment: dict[str, str]) -> tuple[Path, Callable[[], None]]:
    """Start processes to fork from. Returns their folder, and what ends them."""
    folder = Path(tempfile.mkdtemp())
    started = [_started(folder / name, environment, modules) for name, modules in _SERVED.items()]

    def end() -> None:
        for process in started:
            process.terminate()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)

    return folder, end


_SERVED: dict[str, tuple[str, ...]] = {"plain": (), "statistics": _STATISTICS}


def _started(path: Path, environment: dict[str, str], modules: tuple[str, ...]) -> "subprocess.Popen[bytes]":
    """Requests wait at its socket until it has loaded everything."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(path))
        listening.listen(1_000)
        file = listening.fileno()
        return subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.forked", str(path), str(file), *modules],
            pass_fds=[file],
            env=environment,
            cwd=Path(__file__).parents[2],
        )


@dataclass(frozen=True, slots=True)
class _Running:
    """A command, and whoever waits for it."""

    client: socket.socket
    command: int
    end: int
    """A file that is ready once the command has ended."""

    def pass_on(self) -> bool:
        """Pass a signal on to it, or kill it where its client was killed. Returns whether more may come."""
        try:
            number = self.client.recv(1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        os.kill(self.command, number[0] if number else signal.SIGKILL)
        return bool(number)

    def report(self) -> None:
        """Send the client its exit code."""
        _, status = os.waitpid(self.command, 0)
        with suppress(BrokenPipeError):
            self.client.send(str(os.waitstatus_to_exitcode(status)).encode())

    def close(self) -> None:
        self.client.close()
        os.close(self.end)


def _become_the_program(path: str, listening: socket.socket) -> None:
    """Serve requests, each in a fork. Returns in the forks alone, with everything as the program finds it."""
    started_by = os.getppid()
    running: dict[int, _Running] = {}
    clients: dict[int, _Running] = {}
    while True:
        ready, _, _ = select.select([listening.fileno(), *running, *clients], [], [], _ALONE_AFTER_S)
        if os.getppid() != started_by:
            sys.exit()
        for end in running.keys() & ready:
            one = running.pop(end)
            clients.pop(one.client.fileno(), None)
            one.report()
            one.close()
        for file in clients.keys() & ready:
            if not clients[file].pass_on():
                del clients[file]
        if listening.fileno() in ready:
            client, _ = listening.accept()
            raw, files, _, _ = socket.recv_fds(client, _LONGEST_REQUEST, 3)
            command = os.fork()
            if command == 0:
                listening.close()
                client.close()
                for other in running.values():
                    other.close()
                _dress(path, marshal.loads(raw), files)
                return
            for file in files:
                os.close(file)
            one = _Running(client, command, os.pidfd_open(command))
            running[one.end] = clients[client.fileno()] = one


def _dress(path: str, request: dict[str, Any], files: list[int]) -> None:
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    os.umask(request["umask"])
    for number in request["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv[1:] = request["arguments"]
    for name, value in json.loads(os.environ.pop(CONSTANTS, "{}")).items():
        module, _, constant = name.rpartition(".")
        setattr(import_module(module), constant, value)
    if (step := os.environ.pop(DIES_AT, None)) is not None:
        number, *calls = step.split()
        die_at(int(number), *calls)
    surroundings = json.loads(os.environ.pop(SURROUNDINGS, "{}"))
    if os.environ.pop(STARTS_ENDPOINT, None) is None and not surroundings:
        own_program._START = client(Path(path).parent, first=2)
    _surround(surroundings)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if WRITTEN in os.environ:
        _note_names(os.open(os.environ.pop(WRITTEN), os.O_WRONLY | os.O_CREAT | os.O_APPEND))


def _note_names(log: int) -> None:
    """Have Python itself tell of each name; what SQLite opens behind its back goes by the database's."""

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        name: object = None
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            name = arguments[0]
        elif event == "os.rename":
            name = arguments[1]
        elif event == "sqlite3.connect":
            name = "".join(f"{arguments[0]}{suffix}\n" for suffix in ("-journal", "-wal", "-shm")) + str(arguments[0])
        if isinstance(name, str | os.PathLike):
            os.write(log, os.fsencode(f"{os.fspath(name)}\n"))

    sys.addaudithook(note)


def _surround(surroundings: dict[str, Any]) -> None:
    for name, most in surroundings.get("limits", {}).items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))
    if (user := surroundings.get("user")) is not None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)


def _put_together(command: Any) -> None:
    """Have a command, or each of a group, do what it does once before it parses its first command line."""
    for parameter in command.params:
        parameter.get_runtime_param()
    for subcommand in getattr(command, "commands", {}).values():
        _put_together(subcommand)


def _end(ended: SystemExit) -> None:
    """What the interpreter does at its end, without the tenth of a second in which it takes apart what it shares."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        raise ended from None  # the interpreter has words and a code of its own for this
    assert isinstance(ended.code, int)
    os._exit(ended.code)


if __name__ == "__main__":
    socket_path, file, *modules = sys.argv[1:]
    gc.disable()  # nothing of what is loaded here ever goes
    for late in (*_LOADED_LATE, *modules):
        import_module(late)
    from llmbatch.cli import main
    from llmbatch.cli.commands import SUMMARIES, load
    from llmbatch.core.prices import find_price
    from llmbatch.provider.sdk import load_sdk
    from llmbatch.provider.wordings import parameters_named, wordings
    from llmbatch.simulate.dialects import dialect_names
    from llmbatch.task.load import load_task
    from llmbatch.tokens import count_tokens

    for name in SUMMARIES:
        _put_together(load(name))
    load_sdk()
    import_module("openai.resources.batches")
    wordings()
    parameters_named("")
    dialect_names()
    load_task(None)
    find_price("gpt-6-luna", "http://127.0.0.1:1/v1")
    count_tokens("The token table takes a quarter of a second.")
    gc.freeze()
    gc.enable()
    _become_the_program(socket_path, socket.socket(fileno=int(file)))
    try:
        main()
    except SystemExit as ended:
        _end(ended)
