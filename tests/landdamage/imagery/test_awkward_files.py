"""Every odd raster of the public collections ends in a usable scene or in the codes of ``awkward.csv``."""

import csv
import json
from pathlib import Path

import pytest

from landdamage.imagery import inspect_scene, valid_footprint, write_cog, write_thumbnail
from landdamage.imagery.open import open_raster

pytestmark = pytest.mark.data

with (Path(__file__).parent / "awkward.csv").open(newline="") as stream:
    TABLE = list(csv.DictReader(stream))
NOT_IMAGES = {"INVENTORY.csv", "SOURCE.txt", "README"}


def test_table_names_every_file(shared_data: Path) -> None:
    folder = shared_data / "land" / "awkward"
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name not in NOT_IMAGES}
    assert found == {row["file"] for row in TABLE}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["file"])
def test_file_ends_as_the_table_says(shared_data: Path, tmp_path: Path, row: dict[str, str]) -> None:
    path = shared_data / "land" / "awkward" / row["file"]
    report = inspect_scene(path)
    found = {
        severity: " ".join(finding.code for finding in report.findings if finding.severity == severity)
        for severity in ("error", "warn")
    }
    assert (report.state, found["error"], found["warn"]) == (row["state"], row["errors"], row["warnings"])
    assert str(shared_data) not in json.dumps(report.as_dict(), ensure_ascii=False)
    if report.state == "rejected":
        return
    cog = tmp_path / "scene.cog.tif"
    write_cog(path, cog, report=report)
    metadata = report.usable()
    with open_raster(cog) as dataset:
        assert dataset.descriptions == metadata.bands
        assert dataset.count >= 3
    assert valid_footprint(cog).is_valid
    write_thumbnail(cog, tmp_path / "t.webp")
    assert (tmp_path / "t.webp").stat().st_size > 0
