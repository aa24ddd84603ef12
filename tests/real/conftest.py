"""The program as in the end-to-end tests, against real servers."""

from tests.e2e.conftest import llmbatch

__all__ = ["llmbatch"]
