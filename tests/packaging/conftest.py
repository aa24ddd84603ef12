"""The program as the end-to-end tests run it."""

from tests.e2e.conftest import llmbatch

__all__ = ["llmbatch"]
