"""People look at a run's rows: in the terminal or in a spreadsheet; what they decide goes into the run folder's log.

`opened` reads a run as it stands, `queue` picks the rows that are worth a look, `session` is one reviewer's work on
them, `app/` shows it (the extra `review`), `exchange` does the same by files, `error_rate` counts what was found. Above
the pipeline, below the command line.
"""
