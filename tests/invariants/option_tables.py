"""The tables of options in the documents, which the programs make from what they declare (-help markdown).

    option_tables.py SOURCE_DIRECTORY BUILD_DIRECTORY     writes them again

In a document, a table stands between the lines <!-- options of PROGRAM --> and <!-- end -->. test_readme.py compares them.
"""

import pathlib
import re
import subprocess
import sys

DOCUMENTS = ("apps/README.md", "data/README.md")
MARKED = re.compile(r"(<!-- options of ([\w-]+) -->\n)(.*?)(<!-- end -->\n)", re.DOTALL)


def table(build, program):
    return subprocess.run([build / "apps" / program, "-help", "markdown"], text=True, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=600, check=True).stdout + "\n"


def with_tables(text, build):
    """The text of a document with its tables as the programs make them now."""
    return MARKED.sub(lambda found: found[1] + table(build, found[2]) + found[4], text)


def main():
    source, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    for name in DOCUMENTS:
        text = (source / name).read_text()
        (source / name).write_text(with_tables(text, build))


if __name__ == "__main__":
    main()
