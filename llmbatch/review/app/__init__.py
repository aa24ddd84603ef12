"""The terminal application (the extra `review`): shows a `ReviewSession` and maps keys to its actions.

Documents, labels, ids and notes are untrusted: they pass through `readable` or `neutral` and are never interpreted as
markup.
"""
