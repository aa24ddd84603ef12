"""Endpoints, and settings that keep API calls short."""

import signal
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import endpoint, endpoints

__all__ = ["endpoint", "endpoints"]


@pytest.fixture
def as_in_a_script() -> Iterator[None]:
    """Python's default Ctrl-C handler, which the test runner removes from its workers."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
