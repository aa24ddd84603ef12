"""The program fixture of the end-to-end tests."""

from tests.e2e.conftest import llmbatch

__all__ = ["llmbatch"]
