"""The program fixture of the end-to-end tests."""

from tests.e2e.conftest import endpoint, endpoints, llmbatch

__all__ = ["endpoint", "endpoints", "llmbatch"]
