"""Human review of a run's rows, in the terminal or in a spreadsheet. Decisions go into the run folder's log.

`opened` reads a run's current state, `queue` picks the rows to review, `session` is one reviewer's work on
them, `app/` shows it (the extra `review`), `exchange` does the same with files, `error_rate` counts the model's errors.
Above the pipeline, below the command line.
"""
