"""When a request may be sent, and what its outcome teaches: slots, rates, outages, a budget for retries.

Works on requests and failures, not rows. `throttle` is the entry point for every attempt; the others support it.
"""
