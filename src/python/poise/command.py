"""The frame of every command line: messages, warnings and exit codes."""

import os
import sys
import warnings

from .errors import Error


def program_name():
    """The name that the user typed."""
    return os.path.basename(sys.argv[0])


def run(main):
    """Calls `main()`. Bad input ends the program with one message and exit code 2; a number that `main` returns is its
    exit code."""
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    try:
        sys.exit(main())
    except Error as error:
        print(f"{program_name()}: error: {error}", file=sys.stderr)
        sys.exit(2)
