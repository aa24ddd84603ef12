"""What requests may cost and have cost: bounds, hard limits, and the day's account.

Uses `llmbatch.spend`, which enforces limits across processes.
"""
