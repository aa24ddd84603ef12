"""Starts llmbatch quickly: as forks of a process with all imports of a run done.

Each command runs alone in a process, with the real command line from `main()` on. That saves a second of imports and
a tenth of a second of shutdown. See `fork_server.py`. A few tests still start the program as a shell does, to detect
missing imports.
"""

import marshal
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGWINCH)
"""Signals that are forwarded to a command."""
CONSTANTS = "CONSTANTS_OF_TEST"
"""Variable with a JSON object: module constants to override in this command, so that small runs do what only long ones
do."""
WRITTEN = "NAMES_WRITTEN_OF_TEST"
"""Variable with a file: the command appends each path that it opens for writing, creates or renames to."""
SURROUNDINGS = "SURROUNDINGS_OF_TEST"
"""Variable with a JSON object: the `user` (a number, with no entry in the user database) that this command runs as, and
its `limits` by their names in `resource`."""
STARTS_ENDPOINT = "STARTS_ENDPOINT_OF_TEST"
"""Variable that makes this command start its offline endpoint as a real process, not as a fork."""
DIES_AT = "DIES_AT_OF_TEST"
"""Variable with a number: the command kills itself at that step (see `tests/torture/steps.py`). If functions of `os`
are named after it, only their calls count as steps."""
SERVER = "FORKED_OF_TEST"
"""Variable with the socket of the fork server that all workers of a test run share."""


_CLIENT = """
import _signal, _socket, marshal, posix, sys
variables = {{name.decode(errors="surrogateescape"): value.decode(errors="surrogateescape")
    for name, value in posix.environ.items()}}
signals = {signals!r}
ignored = [number for number in signals if _signal.getsignal(number) == _signal.SIG_IGN]
posix.umask(mask := posix.umask(0))
request = marshal.dumps({{"arguments": sys.argv[{first}:], "cwd": posix.getcwd(), "env": variables,
    "umask": mask, "ignored": ignored}})
connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
connection.connect({server!r})
files = b"".join(file.to_bytes(4, sys.byteorder) for file in (0, 1, 2))
connection.sendmsg([request], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
connection.settimeout(1e6)
_signal.set_wakeup_fd(connection.fileno())
for number in signals:
    if number not in ignored:
        _signal.signal(number, lambda *_: None)
code = int(connection.recv(100))
if code < 0:
    _signal.signal(-code, _signal.SIG_DFL)
    posix.kill(posix.getpid(), -code)
sys.exit(code)
"""
"""A script that imports only built-in modules, to be quick. Signals go over its connection at once, by a wakeup
descriptor: a handler would wait until an exit code arrives."""


def client(server: Path, first: int) -> str:
    """A Python script that has the server at a socket run its arguments from `first` on as a command."""
    return _CLIENT.format(server=str(server), first=first, signals=tuple(map(int, SIGNALS)))


class Forked:
    """The client of the fork server at a socket."""

    def __init__(self, server: Path) -> None:
        self.server = server

    def run(
        self, arguments: list[str], *, cwd: Path, env: dict[str, str], files: tuple[int, int, int], timeout_s: float
    ) -> int:
        """Run a command to its end. Returns its exit code, negative if a signal ended it.

        Args:
            arguments: of `llmbatch`.
            cwd: its working folder.
            env: its whole environment.
            files: its standard input, output and error.
            timeout_s: raises TimeoutError when it takes longer.
        """
        os.umask(mask := os.umask(0))
        request = marshal.dumps({"arguments": arguments, "cwd": str(cwd), "env": env, "umask": mask, "ignored": []})
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(self.server))
            socket.send_fds(connection, [request], files)
            return int(connection.recv(100))


def start_forked(environment: dict[str, str]) -> tuple[Path, Callable[[], None]]:
    """Start the fork server. Returns its socket, where requests wait until it is ready, and a function that ends it."""
    folder = Path(tempfile.mkdtemp())
    path = folder / "server"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(path))
        listening.listen(1_000)
        file = listening.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.fork_server", str(path), str(file)],
            pass_fds=[file],
            env=environment,
            cwd=Path(__file__).parents[2],
        )

    def end() -> None:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)

    return path, end
