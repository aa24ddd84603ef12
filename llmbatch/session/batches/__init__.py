"""A session that sends its rows in batch files: submits pending rows, collects results, exits or waits."""
