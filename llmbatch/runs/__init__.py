"""The run folder as a library: its record, input, ledger, decisions and outputs."""
