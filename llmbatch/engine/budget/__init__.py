"""What requests may cost and have cost: bounds, limits that hold, the account of a day.

Uses `llmbatch.spend`, where the limits of all processes meet.
"""
