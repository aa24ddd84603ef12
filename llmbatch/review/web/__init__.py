"""`llmbatch review RUN --web`: the review application in browsers of this machine (the extra `web`).

`access` knows who may in, `server` answers browsers, `application` is one reviewer's application in a process of its
own, `page` the page that shows it.
"""
