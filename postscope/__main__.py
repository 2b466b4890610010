"""``python -m postscope``: the command, for where its script is not on the path."""

from postscope.cli.main import main

if __name__ == "__main__":
    main()
