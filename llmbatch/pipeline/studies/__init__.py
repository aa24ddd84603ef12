"""Runs looked at from outside: estimated, evaluated, calibrated, compared, accounted for.

Each module stands behind one command and uses the session's parts; no session uses these, but for its first look.
"""
