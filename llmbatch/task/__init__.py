"""What to ask: the task file, its lint, and the prompt made from it.

A task is pure data. Nothing here talks to a model or knows of rows' outcomes; the caller and the pipeline
import from here, never the other way round.
"""
