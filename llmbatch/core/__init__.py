"""Plain data and small pure parts that everything else is made of: rows, the ledger line, prices, errors, files."""
