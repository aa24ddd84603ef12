"""When a request may leave, and what its outcome teaches: slots, rates, outages, a budget for retries.

Knows requests and failures, not rows. `throttle` is the entrance: every attempt passes through it; the others
serve it.
"""
