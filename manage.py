#!/usr/bin/env python3
"""The command line: Django's commands, and those that need neither settings nor a database."""

import importlib
import os
import sys

PLAIN = {
    "interpret": "landdamage.interpretation.cli",
    "export_model": "landdamage.interpretation.export_cli",
    "samples": "landdamage.learning.samples.cli",
    "train": "landdamage.learning.train",
    "ablation": "landdamage.learning.ablation.cli",
    "dehaze": "enhancement.cli",
    "degrade": "enhancement.lednet.degrade_cli",
    "lednet": "enhancement.lednet.cli",
}


def main() -> int:
    # Samples of accepted patches come from the database; those of files do not.
    if sys.argv[1:] and sys.argv[1] in PLAIN and "--from-patches" not in sys.argv:
        return importlib.import_module(PLAIN[sys.argv[1]]).main(sys.argv[2:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "minegis.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
