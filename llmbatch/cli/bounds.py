"""Bounds of numeric options: far beyond any use, and within what files, the store and the clock can represent."""

MOST_SECONDS = 365 * 86_400
MOST_DAYS = 36_500
MOST_USD = 1_000_000_000
MOST_MEGABYTES = 1_000_000_000
MOST_ATTEMPTS = 1_000
MOST_ROWS = 1_000_000_000
MOST_A_MINUTE = 1_000_000_000_000
MOST_WHOLE = 2**63 - 1
