"""What the learning commands say on a terminal: coded errors in words, nothing twice from several processes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from minegis.errors import Language, MineGISError
from minegis.terminal import default_language, finding_line

FAILED = 2  # exit status of a coded error


@dataclass(slots=True)
class Outcome:
    """How a command ended: 0, or 2 after a coded error."""

    status: int = 0


def add_language(parser: argparse.ArgumentParser) -> None:
    """The option that chooses the language of messages."""
    parser.add_argument("--lang", choices=["zh", "en"], default=default_language(), help="language of the output")


@contextmanager
def reporting(language: Language) -> Iterator[Outcome]:
    """Turn a coded error of the block into one line on standard error and status 2."""
    outcome = Outcome()
    try:
        yield outcome
    except MineGISError as error:
        outcome.status = FAILED
        if os.environ.get("RANK", "0") == "0" or error.code in ("E-TRN-01", "E-TRN-02"):  # memory is each device's own
            sys.stderr.write(f"{finding_line(error.finding(), language)}\n")
