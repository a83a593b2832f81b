"""What the learning commands say on a terminal: coded errors in words, nothing twice from several processes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from landdamage.interpretation.cli import FAILED, default_language
from minegis.errors import Language, MineGISError, hint, message

_ERROR = {"zh": "错误", "en": "error"}


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
            text = message(error.code, language, **error.values)
            remedy = hint(error.code, language, **error.values)
            line = f"{_ERROR[language]} {error.code}: {text}" + (f" ({remedy})" if remedy else "")
            sys.stderr.write(f"{line}\n")
