"""The documentation as a site: `python -m tools.docs_site` builds it into `build/site`.

Pages are those of `docs/`, and two that are made from the program itself: every command with its options, and the
Python API.
"""
