"""`llmbatch review RUN --web`: the review application in browsers on this machine (the extra `web`).

`access` controls who may connect, `server` serves browsers, `application` runs one reviewer's application in its own
process, and `page` is the page that shows it.
"""
