"""``manage.py export_model``: an installed model as an ONNX file, for programs other than this one. No Django."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from landdamage.interpretation.cli import FAILED, default_language
from landdamage.interpretation.conversion import export_model
from landdamage.interpretation.models import ModelCard, available
from minegis.errors import Language, MineGISError, ModelError, hint, message


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments, shared with Django's wrapper of it."""
    parser.add_argument("model", help="name of an installed model, or the path of a card (.json)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.onnx", help="the file to write")
    parser.add_argument("--lang", choices=["zh", "en"], default=default_language(), help="language of the output")


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 on success, 2 after a coded error."""
    parser = argparse.ArgumentParser(prog="manage.py export_model", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Do what parsed arguments ask for; prints what the file takes and gives."""
    language: Language = options.lang
    try:
        card = _card(options.model)
        export_model(card, options.output)
    except MineGISError as error:
        found = error.finding()
        text, remedy = (say(found.code, language, **found.values) for say in (message, hint))
        kind = "错误" if language == "zh" else "error"
        sys.stderr.write(f"{kind} {found.code}: {text}" + (f" ({remedy})" if remedy else "") + "\n")
        return FAILED
    size = f"{card.window} x {card.window}"
    sys.stdout.write(
        f"{options.output}\nwindows (n, {len(card.bands)} [{','.join(card.bands)}], {size}) float32 -> "
        f"logits (n, {card.network['classes']}, {size}) float32\n"
    )
    return 0


def _card(name: str) -> ModelCard:
    if name.endswith(".json"):
        return ModelCard.read(Path(name))
    installed = available()
    if name not in installed:
        raise ModelError("E-MOD-01", value=name, known=", ".join(installed))
    return installed[name]
