"""llmbatch as processes that start at once: forked from one that has imported all that a run needs.

Each command has a process to itself with the real command line in it, from `main()` on; what it saves is a second of
imports, and a tenth to take them all apart again. See `fork_server.py`. A few tests still start the program as a shell
does, so that a missing import shows.
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
"""What is passed on to a command."""
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
SERVER = "FORKED_OF_TEST"
"""Variable with the socket of the process to fork from that all workers of a test run share."""


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
"""A script that imports only what is built in, to be quick. What it hears of signals goes over its connection at once:
a handler would wait until an exit code arrives."""


def client(server: Path, first: int) -> str:
    """A Python script that is the command of its arguments from the `first` on, forked by the server at a socket."""
    return _CLIENT.format(server=str(server), first=first, signals=tuple(map(int, SIGNALS)))


class Forked:
    """The process to fork from, at a socket: the client's side."""

    def __init__(self, server: Path) -> None:
        self.server = server

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
            connection.connect(str(self.server))
            socket.send_fds(connection, [request], files)
            return int(connection.recv(100))


def start_forked(environment: dict[str, str]) -> tuple[Path, Callable[[], None]]:
    """Start the process to fork from. Returns its socket, where requests wait until it is ready, and what ends it."""
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
