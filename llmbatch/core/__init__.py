"""Plain data and small pure building blocks: rows, the ledger line, prices, errors, files."""
