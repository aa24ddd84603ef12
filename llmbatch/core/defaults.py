"""Defaults that the command line shows and the pipeline uses: each stands here once, and importing them is cheap."""

MODEL = "gpt-6-luna"
"""A current small model that the SDK lists and the price data knows."""
REVIEW_BELOW = 0.5
CONCURRENCY = "auto"
ATTEMPTS = 4
TIMEOUT_S = 30.0
FLEX_TIMEOUT_S = 900.0
RETRY_WAIT_MIN_S = 5.0
RETRY_WAIT_MAX_S = 120.0
MAX_WAIT_S = 600.0
LEAST_CANDIDATES, MOST_CANDIDATES = 2, 200
"""Labels that may be retrieved for a document."""
MOST_SIMILAR = 50
"""Examples that may be chosen for a document."""
ALL_LABELS, PLANNED_LABELS, LABELS_BY_LEVEL = 0, -1, -2
"""In place of their number: all labels are listed; and what is better is decided when a run begins."""
MOST_TOKENS = 10_000_000
"""That an answer or a document may be allowed: more than any model takes."""
REASKS = 1
GRACE_S = 20.0
REUSE_LIMIT_MB = 500
ALERT_AT = "80%"
"""Of a spending limit."""
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
"""Batches in which a row may expire before the fallback takes it."""
BATCH_SIZE = 50_000
"""Rows in one batch: OpenAI's limit."""
DIALECT = "chat-completions"
"""The wire protocol: OpenAI's."""
