"""The end-to-end tests' program and endpoints."""

from tests.e2e.conftest import endpoint, endpoints, llmbatch

__all__ = ["endpoint", "endpoints", "llmbatch"]
