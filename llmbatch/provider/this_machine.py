"""Detects exhausted local resources (files, ports, memory), which look like an unreachable endpoint.

In that case nothing was sent, and neither row nor endpoint is at fault: fewer requests in flight may suffice.
"""

import errno
import os
import socket
from collections.abc import Iterable

from llmbatch.core.errors import ExitCode
from llmbatch.provider.failures import Action, Failure

_FEWER = "lower --concurrency"
_LACKS = {
    errno.EMFILE: ("this process cannot open any more files", f"raise ulimit -n, or {_FEWER}"),
    errno.ENFILE: ("this machine has too many open files", f"close other programs or raise fs.file-max, or {_FEWER}"),
    errno.EADDRNOTAVAIL: (
        "this machine has no free port or no address to connect from",
        f"ports become free after a minute or two (or widen net.ipv4.ip_local_port_range); else {_FEWER}",
    ),
    errno.ENOBUFS: ("this machine is out of network buffers", _FEWER),
    errno.ENOMEM: ("this machine is out of memory", _FEWER),
}
_NO_THREAD = "can't start new thread"
"""Python's message when a host name look-up cannot start a thread."""


def lack_of_this_machine(chain: Iterable[BaseException]) -> tuple[str, str] | None:
    """What is exhausted, and what to do; None if an error and its causes (`chain`) are of another kind.

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
            # A look-up that cannot open a file fails as if the name were unknown, or with an invalid argument.
            lack = _lack_of_files()
            if lack is not None:
                return _LACKS[lack]
        if isinstance(error, RuntimeError) and _NO_THREAD in str(error):
            return "this process cannot start any more threads", f"raise ulimit -u, or {_FEWER}"
    return None


def _lack_of_files() -> int | None:
    """The error number if this process cannot open a file at present."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno if error.errno in _LACKS else None
    return None


def judge_lack(lack: tuple[str, str]) -> Failure:
    """The failure of a request that could not be sent."""
    message, hint = lack
    return Failure(
        "this_machine", Action.THROTTLE, message, hint=hint, is_of_this_machine=True, exit_code=ExitCode.STORAGE
    )
