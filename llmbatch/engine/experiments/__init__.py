"""What a run tries beside its own prompt and model: canary, escalation, an earlier run as a baseline.

`plan` says what is asked for, `watch` follows the run's lines.
"""
