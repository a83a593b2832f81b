#!/usr/bin/env python3
"""The command line: Django's commands, and ``interpret``, which needs neither settings nor a database."""

import os
import sys


def main() -> int:
    if sys.argv[1:2] == ["interpret"]:
        from landdamage.interpretation.cli import main as interpret

        return interpret(sys.argv[2:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "minegis.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
