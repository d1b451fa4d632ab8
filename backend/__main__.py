"""`python -m backend COMMAND ...`: what the Data tab does, without a page."""

import argparse
import os
import sys

from backend import commands
from backend.errors import TagmaskError

REFUSED = 2
"""The exit code where a command could not do what was asked; 0 is success."""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; its exit code. What it cannot do it says in a sentence on stderr."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        asked = _parser(given).parse_args(given)
        return int(asked.run(asked) or 0)
    except TagmaskError as error:
        print(f"tagmask: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("tagmask: stopped; what was done so far is kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (head, less) went away. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser(given: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m backend", description="Tagmask's workspace, from the command line."
    )
    parsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    known = commands.names()
    if given and given[0] in known:
        commands.load(known[given[0]]).add_parser(parsers)
        return parser
    for name, module in known.items():
        parsers.add_parser(name, help=commands.summary(module))
    return parser


if __name__ == "__main__":
    sys.exit(main())
