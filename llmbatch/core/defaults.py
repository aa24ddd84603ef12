"""Default values shown by the command line and used by the pipeline, each defined once here; cheap to import."""

MODEL = "gpt-6-luna"
"""A current small model that is in the SDK's list and in the price data."""
REVIEW_BELOW = 0.5
CONCURRENCY = "auto"
ATTEMPTS = 4
TIMEOUT_S = 30.0
FLEX_TIMEOUT_S = 900.0
RETRY_WAIT_MIN_S = 5.0
RETRY_WAIT_MAX_S = 120.0
MAX_WAIT_S = 600.0
LEAST_CANDIDATES, MOST_CANDIDATES = 2, 200
"""Minimum and maximum number of labels retrieved for a document."""
MOST_SIMILAR = 50
"""Maximum number of examples chosen for a document."""
ALL_LABELS, PLANNED_LABELS, LABELS_BY_LEVEL = 0, -1, -2
"""Special values for that number: list all labels; choose how when a run begins; list them level by level."""
MOST_TOKENS = 10_000_000
"""Upper limit for token options: more than any model accepts."""
REASKS = 1
GRACE_S = 20.0
REUSE_LIMIT_MB = 500
ALERT_AT = "80%"
"""Share of a spending limit at which to warn."""
SIMULATE_PORT = 8399
STOP_AT_FAILURES = 50
"""Percent of the latest rows."""
STOP_AT_INVALID = 20
"""Percent of the latest rows."""
CANARY_SHARE = 10
"""Percent of the rows."""
MOST_ROWS_PER_REQUEST = 100
AUTO_PACKING = "auto"
MAX_PACKING_LOSS = 0.5
"""Percent of the rows."""
BATCH_WINDOW = "24h"
BATCH_PATIENCE = 2
"""Number of batches in which a row may expire before the fallback handles it."""
BATCH_SIZE = 50_000
"""Maximum rows per batch: OpenAI's limit."""
DIALECT = "chat-completions"
"""Default wire protocol: OpenAI's."""
