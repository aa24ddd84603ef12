"""The endpoint that rows are sent to: the user's, or the offline one."""

from collections.abc import Iterator
from contextlib import contextmanager

from llmbatch.engine.sending import Sending
from llmbatch.provider.client import Endpoint
from llmbatch.provider.sdk import load_sdk


@contextmanager
def served_endpoint(endpoint: Endpoint | None, sending: Sending) -> Iterator[Endpoint]:
    """The endpoint that the user named; without one, the offline endpoint, which runs for the duration of the block."""
    if endpoint is not None:
        yield endpoint
        return
    from llmbatch.simulate.child import offline_endpoint  # noqa: PLC0415 - its faults take 15 ms to define

    with offline_endpoint(sending.offline_arguments, meanwhile=load_sdk) as url:
        yield Endpoint(url, "offline", on_loopback=True)
