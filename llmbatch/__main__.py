"""`python -m llmbatch`: the command line."""

from llmbatch.cli import main

if __name__ == "__main__":
    main()
