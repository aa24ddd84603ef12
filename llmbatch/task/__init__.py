"""The task file, its lint, and the prompt built from it.

A task is pure data. Nothing here talks to a model or depends on rows' outcomes; the provider and the pipeline import
from here, never the other way round.
"""
