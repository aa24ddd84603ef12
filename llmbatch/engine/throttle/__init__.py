"""When a request may leave, and what its outcome teaches: slots, rates, outages, a budget for retries.

Knows requests and failures, not rows. `pace` is the door: the sender passes through it, the others stand behind it.
"""
