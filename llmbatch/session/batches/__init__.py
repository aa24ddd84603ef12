"""A session that sends its rows in batch files: submit what is pending, collect what is ready, exit or wait."""
