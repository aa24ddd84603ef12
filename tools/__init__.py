"""Programs for those who work on llmbatch."""
