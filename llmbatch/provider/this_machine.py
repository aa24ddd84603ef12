"""What this machine has run out of: files, ports, memory. It looks like an endpoint that cannot be reached.

Nothing has been sent then, and no row and no endpoint is to blame: fewer requests at once may be all that is needed.
"""

import errno
import os
import socket
from collections.abc import Iterable

from llmbatch.core.errors import ExitCode
from llmbatch.provider.failures import Action, Failure

_FEWER = "fewer requests at once need less of it: --concurrency"
_LACKS = {
    errno.EMFILE: ("this process may open no more files", f"raise ulimit -n, or {_FEWER}"),
    errno.ENFILE: ("this machine has too many open files", f"close other programs or raise fs.file-max, or {_FEWER}"),
    errno.EADDRNOTAVAIL: (
        "this machine has no free port or no address to connect from",
        f"ports are free again after a minute or two (net.ipv4.ip_local_port_range widens them); {_FEWER}",
    ),
    errno.ENOBUFS: ("this machine has no room for network buffers", _FEWER),
    errno.ENOMEM: ("this machine is out of memory", _FEWER),
}
_NO_THREAD = "can't start new thread"
"""As Python says it, while it looks up a host's name."""


def lack_of_this_machine(chain: Iterable[BaseException]) -> tuple[str, str] | None:
    """What is lacking, and what to do; None where an error and its causes (`chain`) are of another kind.

    The error numbers are those of socket(2), connect(2) and getaddrinfo(3).
    """
    for error in chain:
        if isinstance(error, BaseExceptionGroup):
            return lack_of_this_machine(error.exceptions)
        if isinstance(error, MemoryError):
            return _LACKS[errno.ENOMEM]
        if isinstance(error, OSError) and error.errno in _LACKS:
            return _LACKS[error.errno]
        if isinstance(error, socket.gaierror) or (isinstance(error, OSError) and error.errno == errno.EINVAL):
            # A look-up that could open no file fails as if the name were unknown, or with an invalid argument.
            lack = _lack_of_files()
            if lack is not None:
                return _LACKS[lack]
        if isinstance(error, RuntimeError) and _NO_THREAD in str(error):
            return "this machine lets this process start no more threads", f"raise ulimit -u, or {_FEWER}"
    return None


def _lack_of_files() -> int | None:
    """The system's reason why this process can open no file at present."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno if error.errno in _LACKS else None
    return None


def judge_lack(lack: tuple[str, str]) -> Failure:
    """A request that could not leave."""
    message, hint = lack
    return Failure(
        "this_machine", Action.THROTTLE, message, hint=hint, is_of_this_machine=True, exit_code=ExitCode.STORAGE
    )
