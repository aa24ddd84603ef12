"""Experiments besides a run's own prompt and model: canary, escalation, an earlier run as a baseline.

`plan` states what was requested, `watch` follows the run's lines.
"""
