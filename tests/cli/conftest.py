"""The program as the end-to-end tests run it."""

from tests.e2e.conftest import endpoint, endpoints, llmbatch

__all__ = ["endpoint", "endpoints", "llmbatch"]
