"""The program fixture of the end-to-end tests, for real servers."""

from tests.e2e.conftest import llmbatch

__all__ = ["llmbatch"]
