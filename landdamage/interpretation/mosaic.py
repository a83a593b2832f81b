"""Which scenes a person means by files, folders and lists, and what is written when there are several.

Scenes are interpreted one by one, each in its own coordinate system and on its own grid. Where they overlap, the one
that comes first counts and the others are not even computed there: in a folder the newest comes first, scenes without
a date last; otherwise the order is the one that was given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from landdamage.imagery.checks import SceneReport
from landdamage.imagery.preflight import EXTENSIONS
from minegis.errors import MineGISError

LISTS = (".txt", ".lst")
SUFFIXES = tuple(sorted(frozenset().union(*EXTENSIONS.values())))


@dataclass(frozen=True, slots=True)
class Listed:
    """A scene as it was named: alone or in a list, or found in a folder."""

    path: Path
    folder: Path | None = None


def expand(sources: Sequence[Path]) -> list[Listed]:
    """The files behind files, folders and lists, each once, in the order named; those of a folder by name.

    Args:
        sources: image files; folders, whose images are meant; text files that name one image a line, relative to
            their own folder (empty lines and those that begin with # are passed over).

    Raises:
        MineGISError: E-FMT-09 a folder or list holds no image.
    """
    found: dict[Path, Listed] = {}
    for source in sources:
        if source.is_dir():
            here = [Listed(path, source) for path in sorted(source.iterdir()) if path.suffix.lower() in SUFFIXES]
        elif source.suffix.lower() in LISTS and source.is_file():
            lines = [line.strip() for line in source.read_text("utf-8-sig").splitlines()]
            here = [Listed(source.parent / line) for line in lines if line and not line.startswith("#")]
        else:
            here = [Listed(source)]
        if not here:
            raise MineGISError("E-FMT-09", value=source, known=", ".join(SUFFIXES))
        for one in here:
            found.setdefault(one.path.resolve(), one)
    return list(found.values())


def ranked(scenes: Iterable[tuple[Listed, SceneReport]]) -> list[tuple[Listed, SceneReport]]:
    """The scenes in the order in which they count: within each folder the newest first, the undated last."""
    given = list(scenes)
    order: list[tuple[Listed, SceneReport]] = []
    for folder in dict.fromkeys(listed.folder or listed.path for listed, _ in given):
        here = [(listed, report) for listed, report in given if (listed.folder or listed.path) == folder]
        order += sorted(here, key=lambda pair: _age(pair[1]))
    return order


def _age(report: SceneReport) -> int:
    day = None if report.metadata is None else report.metadata.acquired_on
    return 0 if day is None else -day.toordinal()


def work_folder(root: Path, scene: Path) -> Path:
    """Where the work on one of several scenes lies: the same whichever others there are."""
    return root / f"{scene.stem}-{hashlib.sha256(str(scene.resolve()).encode()).hexdigest()[:8]}"
