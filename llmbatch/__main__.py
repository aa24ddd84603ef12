"""`python -m llmbatch`: the command line."""

import os
import sys

if __name__ == "__main__":
    if sys.path[:1] == [os.getcwd()]:  # noqa: PTH109 - `-m` put it there: a random.py of the user's would be imported
        del sys.path[0]

    from llmbatch.cli import main

    main()
