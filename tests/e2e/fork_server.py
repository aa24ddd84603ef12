"""Forks processes with all imports of a run done, and runs the tests' commands in them.

    python -m tests.e2e.fork_server SOCKET FILE

serves at the path SOCKET; FILE is the number of the open listening socket.

Each command starts as in a new process: with its own folder, environment, arguments and standard streams, and no
state of the previous command. A process is not reused after a command that leaves something behind (a thread, an open
file, a child, an exit handler) or that changes the process permanently.
"""

import atexit
import gc
import json
import marshal
import os
import platform
import resource
import selectors
import signal
import socket
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import uvloop

from llmbatch.cli import main, signals
from llmbatch.cli.commands import SUMMARIES, load
from llmbatch.core import own_program
from llmbatch.core.prices import find_price
from llmbatch.provider.sdk import load_sdk
from llmbatch.provider.wordings import parameters_named, wordings
from llmbatch.runs.ledger import reserve
from llmbatch.session import session_loop
from llmbatch.simulate.dialects import dialect_names
from llmbatch.task.load import load_task
from llmbatch.tokens import count_tokens
from tests.e2e.forked import CONSTANTS, DIES_AT, SIGNALS, STARTS_ENDPOINT, SURROUNDINGS, WRITTEN, client
from tests.torture.steps import die_at

_LONGEST_REQUEST = 1 << 20
_ALONE_AFTER_S = 10.0
"""How soon the server notices that the tests were killed, in seconds."""
_MOST_COMMANDS = 50
"""Per process: garbage in cycles accumulates, since the program never collects it before it exits."""
_FOR_GOOD = frozenset({DIES_AT, SURROUNDINGS, WRITTEN, "PYTHONPATH"})
"""Variables that change a process permanently."""
_REALLY_STARTS = own_program._START
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
    "scipy.stats",
    "sklearn.feature_extraction.text",
    "sklearn.isotonic",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "tiktoken",
    "typer._adapters",
    "typer._click.decorators",
)


@dataclass(slots=True)
class _Process:
    """A process that runs commands."""

    number: int
    commands: socket.socket
    """Receives commands, returns their exit codes."""
    client: socket.socket
    """The client of the current command."""


class _Server:
    """Assigns each command to an idle process, or forks a new one."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._idle: list[_Process] = []
        self._selector = selectors.PollSelector()
        self._selector.register(listening, selectors.EVENT_READ, self._begin)

    def serve(self, started_by: int) -> socket.socket:
        """Serve until this process ends. Returns only in forks: the socket on which their commands arrive."""
        while True:
            ready = self._selector.select(_ALONE_AFTER_S)
            if os.getppid() != started_by:
                sys.exit()
            if ready and isinstance(commands := ready[0][0].data(), socket.socket):
                return commands

    def _begin(self) -> socket.socket | None:
        client, _ = self._listening.accept()
        request, files, _, _ = socket.recv_fds(client, _LONGEST_REQUEST, 3)
        if self._idle:
            process = self._idle.pop()
            process.client = client
        else:
            server_end, process_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            number = os.fork()
            if number == 0:
                client.close()
                server_end.close()
                for key in self._selector.get_map().values():
                    assert isinstance(key.fileobj, socket.socket)
                    key.fileobj.close()
                for file in files:
                    os.close(file)
                return process_end
            process_end.close()
            process = _Process(number, server_end, client)
            self._selector.register(server_end, selectors.EVENT_READ, partial(self._answer, process))
        self._selector.register(client, selectors.EVENT_READ, partial(self._pass_on, process))
        socket.send_fds(process.commands, [request], files)
        for file in files:
            os.close(file)
        return None

    def _answer(self, process: _Process) -> None:
        """Send the client its exit code. The process becomes idle unless it has ended."""
        code = process.commands.recv(100)
        if code:
            self._idle.append(process)
        else:
            _, status = os.waitpid(process.number, 0)
            code = str(os.waitstatus_to_exitcode(status)).encode()
            self._forget(process.commands)
        with suppress(OSError):  # the client was killed
            process.client.send(code)
        self._forget(process.client)

    def _pass_on(self, process: _Process) -> None:
        """Forward a signal to the command, or kill the command if its client was killed."""
        number = process.client.recv(1)
        os.kill(process.number, number[0] if number else signal.SIGKILL)
        if not number:
            self._forget(process.client)

    def _forget(self, file: socket.socket) -> None:
        if file.fileno() >= 0:
            self._selector.unregister(file)
            file.close()


def _run(commands: socket.socket, server: Path) -> None:
    """Run commands; this server also forks their offline endpoints.

    Raises:
        SystemExit: from the last command.
    """
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    untouched = _traces()
    for count in range(1, _MOST_COMMANDS + 1):
        raw, files, _, _ = socket.recv_fds(commands, _LONGEST_REQUEST, 3)
        if not raw:
            os._exit(0)
        request = marshal.loads(raw)
        is_last = count == _MOST_COMMANDS or not _FOR_GOOD.isdisjoint(request["env"])
        constants = json.loads(request["env"].pop(CONSTANTS, "{}"))
        others = {name: _replace(name, value) for name, value in constants.items()}
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_IGN if number in request["ignored"] else handler)
        _set_up(request, files, server)
        try:
            main()
        except SystemExit as ended:
            if is_last or _traces() != untouched:
                raise
            _release_streams()
            for name, value in others.items():
                _replace(name, value)
            commands.send(str(int(ended.code or 0)).encode())


def _traces() -> tuple[Any, ...]:
    """State that differs if a command left something behind."""
    try:
        os.waitpid(-1, os.WNOHANG)
        has_children = True
    except ChildProcessError:
        has_children = False
    return has_children, threading.active_count(), atexit._ncallbacks(), sorted(Path("/proc/self/fd").iterdir())


def _replace(name: str, value: object) -> object:
    """Set a module's constant. Returns the previous value."""
    module, _, constant = name.rpartition(".")
    before: object = getattr(import_module(module), constant)
    setattr(import_module(module), constant, value)
    return before


def _set_up(request: dict[str, Any], files: list[int], server: Path) -> None:
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    os.umask(request["umask"])
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv[1:] = request["arguments"]
    signals._state.is_over = False
    tempfile.tempdir = None
    surroundings = json.loads(os.environ.pop(SURROUNDINGS, "{}"))
    really_starts = STARTS_ENDPOINT in os.environ or surroundings
    own_program._START = _REALLY_STARTS if really_starts else client(server, first=2)
    os.environ.pop(STARTS_ENDPOINT, None)
    _set_limits_and_user(surroundings)
    if (step := os.environ.pop(DIES_AT, None)) is not None:
        number, *calls = step.split()
        die_at(int(number), *calls)
    if WRITTEN in os.environ:
        _note_names(os.open(os.environ.pop(WRITTEN), os.O_WRONLY | os.O_CREAT | os.O_APPEND))


def _release_streams() -> None:
    """Release the standard streams, so that their readers see the end."""
    sys.stdout.flush()
    sys.stderr.flush()
    sys.stdin = sys.stdout = sys.stderr = None
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.close(nothing)


def _note_names(log: int) -> None:
    """Log each opened or renamed path by an audit hook, and SQLite's own files by the name of their database."""

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


def _set_limits_and_user(surroundings: dict[str, Any]) -> None:
    for name, most in surroundings.get("limits", {}).items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))
    if (user := surroundings.get("user")) is not None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)


def _prepare(command: Any) -> None:
    """Do a command's one-time setup before its first parse; for a group, that of each subcommand."""
    for parameter in command.params:
        parameter.get_runtime_param()
    for subcommand in getattr(command, "commands", {}).values():
        _prepare(subcommand)


def _load() -> None:
    """Import all that commands need, and do the one-time setup that each would repeat."""
    for late in _LOADED_LATE:
        import_module(late)
    reserve._LINE_BYTES = 128  # reserving space for a full disk takes two of a command's thirty milliseconds
    uvloop.new_event_loop().close()  # the first one makes a pipe for signals
    for name in SUMMARIES:
        _prepare(load(name))
    platform.platform()  # the SDK sends it in a header, and Python starts `uname` for it
    load_sdk()
    import_module("openai.resources.batches")
    wordings()
    parameters_named("")
    dialect_names()
    load_task(None)
    find_price("gpt-6-luna", "http://127.0.0.1:1/v1")
    count_tokens("The token table takes a quarter of a second.")


def _end(ended: SystemExit) -> None:
    """Shut down like the interpreter, but without the tenth of a second of freeing shared memory."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        raise ended from None  # the interpreter has its own message and exit code for this
    assert isinstance(ended.code, int)
    os._exit(ended.code)


if __name__ == "__main__":
    parent = os.getppid()  # before loading, which takes seconds: the parent may be killed meanwhile
    path, listening = sys.argv[1:]
    gc.disable()  # nothing loaded here is ever freed
    _load()
    gc.freeze()
    session_loop._caller_freezes()  # counts the frozen objects, which takes as long as a command
    gc.set_threshold(50_000, 20, 100)
    gc.enable()
    arriving = _Server(socket.socket(fileno=int(listening))).serve(parent)
    try:
        _run(arriving, Path(path))
    except SystemExit as last:
        _end(last)
