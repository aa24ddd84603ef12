"""Kinds of faults of files and batches; none of them affects other requests.

Each is counted by what it affects: uploads, create calls, batches, listings, downloads or lines.
"""

UPLOAD_ERROR, TOO_LARGE = "batch_upload_error", "batch_upload_too_large"
CREATE_LOST, CREATE_ERROR, FILE_NOT_FOUND = "batch_create_lost", "batch_create_error", "batch_file_not_found"
OLDEST_FIRST = "batch_oldest_first"
NO_LIST, NO_METADATA, OTHER_WORDS = "batch_no_list", "batch_no_metadata", "batch_other_words"
VALIDATING, TOKEN_LIMIT, INVALID = "batch_validating", "batch_token_limit", "batch_invalid"
EXPIRE, CANCEL = "batch_expire", "batch_cancel"
OUTPUT_LATE, OUTPUT_GONE, VANISHED = "batch_output_late", "batch_output_gone", "batch_vanished"
CONTENT_ERROR, CONTENT_CUT, CONTENT_SHORT = "batch_content_error", "batch_content_cut", "batch_content_short"
LINE_LOST, LINE_DOUBLE, LINE_NULL = "batch_line_lost", "batch_line_double", "batch_line_null"
LINE_FOREIGN, USAGE_MORE = "batch_line_foreign", "batch_usage_more"

BATCH_FAULTS = (
    UPLOAD_ERROR,
    TOO_LARGE,
    CREATE_LOST,
    CREATE_ERROR,
    FILE_NOT_FOUND,
    NO_LIST,
    OLDEST_FIRST,
    NO_METADATA,
    OTHER_WORDS,
    VALIDATING,
    TOKEN_LIMIT,
    INVALID,
    EXPIRE,
    CANCEL,
    OUTPUT_LATE,
    OUTPUT_GONE,
    VANISHED,
    CONTENT_ERROR,
    CONTENT_CUT,
    CONTENT_SHORT,
    LINE_LOST,
    LINE_DOUBLE,
    LINE_NULL,
    LINE_FOREIGN,
    USAGE_MORE,
)
DEFAULTS = {EXPIRE: {"done": 0.5}, CANCEL: {"done": 0.5}, OUTPUT_LATE: {"polls": 2.0}, TOO_LARGE: {"bytes": 1e6}}
"""Parameters: the share of a batch's lines that are answered before the fault (0..1); polls without its output file;
the largest accepted file."""
