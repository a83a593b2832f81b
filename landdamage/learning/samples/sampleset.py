"""A finished sample set: a folder of tiles, written once, and the index that describes and proves them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from landdamage.imagery.radiometry import Stretch
from landdamage.learning.samples.params import Params
from landdamage.learning.samples.tiles import Tile, content_sha256, read_labels, read_pixels
from landdamage.taxonomy import CLASSES
from minegis.errors import SampleSetError

INDEX: Final = "index.json"
FORMAT: Final = "minegis-samples"
VERSION: Final = 1


@dataclass(frozen=True)
class ImageFacts:
    """What a set remembers of an image: sampling distance of its tiles, stretch of the whole image, its hash."""

    gsd_m: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    sensor: str
    acquired: str
    crs: str
    sha256: str

    @property
    def stretch(self) -> Stretch:
        """The stretch of the whole image."""
        import numpy as np

        return Stretch(np.array(self.low), np.array(self.high))


@dataclass(frozen=True)
class SampleSet:
    """Everything but the pixels.

    Attributes:
        folder: where it lies.
        name: its owner's name for it.
        kind: ``patches``, ``vectors`` or ``labels``.
        params: how it was made.
        images: name -> facts.
        tiles: all of them, sorted by id.
        table: rows of ``table.rows``.
        findings: what there is to say, both languages.
        report: regions and objects per set, tiles left out.
    """

    folder: Path
    name: str
    kind: str
    params: Params
    images: Mapping[str, ImageFacts]
    tiles: tuple[Tile, ...]
    table: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def leaky(self) -> bool:
        """Its sets know each other's ground: good for reproducing the source paper only."""
        return self.params.split == "s2"

    @property
    def sha256(self) -> str:
        """Hash of parameters, images and tiles: equal sets have equal hashes wherever they were built."""
        body = {
            "params": self.params.as_dict(),
            "images": {name: [facts.gsd_m, facts.low, facts.high] for name, facts in sorted(self.images.items())},
            "tiles": [[t.id, t.set, t.region, t.sha256] for t in self.tiles],
        }
        return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def of(self, name: str) -> list[Tile]:
        """The tiles of one set."""
        return [tile for tile in self.tiles if tile.set == name]

    def save(self) -> None:
        """Write the index; its appearance makes the folder a sample set."""
        body = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "kind": self.kind,
            "leaky": self.leaky,
            "sha256": self.sha256,
            "classes": [c.code for c in CLASSES],
            "params": self.params.as_dict(),
            "table": self.table,
            "report": self.report,
            "findings": self.findings,
            "images": {
                name: {
                    "gsd_m": facts.gsd_m,
                    "low": list(facts.low),
                    "high": list(facts.high),
                    "sensor": facts.sensor,
                    "acquired": facts.acquired,
                    "crs": facts.crs,
                    "sha256": facts.sha256,
                }
                for name, facts in self.images.items()
            },
            "tiles": [tile.as_dict() for tile in self.tiles],
        }
        write_json(self.folder / INDEX, body)

    @classmethod
    def open(cls, folder: Path) -> SampleSet:
        """Read the index of a folder.

        Raises:
            SampleSetError: E-SET-16, there is none, it is damaged, or its hash does not fit.
        """
        try:
            body = json.loads((folder / INDEX).read_text("utf-8"))
            if body["format"] != FORMAT or body["version"] != VERSION:
                raise SampleSetError("E-SET-16", value=INDEX)
            images = {
                name: ImageFacts(**{**facts, "low": tuple(facts["low"]), "high": tuple(facts["high"])})
                for name, facts in body["images"].items()
            }
            found = cls(
                folder,
                body["name"],
                body["kind"],
                Params.from_dict(body["params"]),
                images,
                tuple(Tile.from_dict(row) for row in body["tiles"]),
                body["table"],
                body["findings"],
                body["report"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            raise SampleSetError("E-SET-16", value=INDEX) from None
        if found.sha256 != body["sha256"]:
            raise SampleSetError("E-SET-16", value=f"{INDEX} sha256")
        return found

    def verify(self) -> None:
        """Read every tile and compare its hash.

        Raises:
            SampleSetError: E-SET-16, the first one that differs, is damaged or gone.
        """
        for tile in self.tiles:
            pixels, valid = read_pixels(self.folder, tile.id)
            if content_sha256(pixels, read_labels(self.folder, tile.id), valid) != tile.sha256:
                raise SampleSetError("E-SET-16", value=tile.id)


def write_json(path: Path, body: Any) -> None:
    """Write JSON so that it is there as a whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps(body, ensure_ascii=False, separators=(",", ":")), "utf-8")
    part.replace(path)
