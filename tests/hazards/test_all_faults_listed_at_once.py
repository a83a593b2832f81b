"""A person who sends a faulty image learns every fault at once, in Chinese and English, with codes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rasterio.transform import from_origin

from landdamage.imagery import inspect_scene

XINJIANG = (73.4, 34.3, 96.4, 49.2)


def test_every_fault_of_a_bad_scene_is_listed_in_both_languages(make_raster: Callable[..., Path]) -> None:
    pixels = np.zeros((2, 40, 50), "uint8")
    pixels[:, :, :3] = np.arange(40)[:, None]
    path = make_raster(
        "scene_20210115.img",
        pixels=pixels,
        bands=None,
        crs="EPSG:4490",
        transform=from_origin(116.4, 39.9, 0.004, 0.002),
    )
    report = inspect_scene(path, monitored=XINJIANG)
    assert report.state == "rejected"
    assert set(report.codes) == {
        "E-FMT-04",  # a GeoTIFF named .img
        "E-RAD-01",  # two bands
        "E-RAD-04",  # 6 % valid
        "E-RAD-06",  # 8 bits
        "E-GEO-03",  # not in the region
        "E-GEO-04",  # pixels of 280 m
        "E-GEO-05",  # not square
        "E-QUA-04",  # January
    }
    for fault in report.as_dict()["findings"]:
        assert re.search(r"[\u4e00-\u9fff]", fault["message_zh"]), fault
        assert re.fullmatch(r"[\x20-\x7e°–²]+", fault["message_en"]), fault
        assert "…" not in fault["message_zh"] + fault["message_en"], fault
        assert fault["severity"] in ("error", "warn")
        assert fault["field"]
