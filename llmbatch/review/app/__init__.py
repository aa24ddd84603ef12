"""The terminal application (the extra `review`): shows a `ReviewSession`, and turns keys into what it does.

Documents, labels, ids and notes are untrusted: they go through `readable` or `neutral` and are never markup.
"""
