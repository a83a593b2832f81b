"""An uploaded "image" is program input: it must not make the server read other files or fill its memory."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from landdamage.imagery import inspect_scene, open_raster
from minegis.errors import SceneError


def codes(path: Path) -> list[str]:
    report = inspect_scene(path)
    assert report.state == "rejected"
    return [finding.code for finding in report.findings if finding.severity == "error"]


@pytest.fixture
def secret(make_raster: Callable[..., Path]) -> Path:
    """Another file of the server, all 77."""
    return make_raster("secret.tif", pixels=np.full((4, 32, 40), 77, "uint16"))


def vrt(target: Path, secret: Path) -> Path:
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{i}"><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">{secret}</SourceFilename><SourceBand>{i}</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        for i in (1, 2, 3, 4)
    )
    target.write_text(f'<VRTDataset rasterXSize="40" rasterYSize="32">{bands}</VRTDataset>')
    return target


@pytest.mark.parametrize("name", ["scene.vrt", "scene.tif", "scene.img", "0a1b2c"])
def test_virtual_raster_is_refused_under_any_name(tmp_path: Path, secret: Path, name: str) -> None:
    path = vrt(tmp_path / name, secret)
    with rasterio.open(path) as plain:  # the attack works on an unguarded reader
        assert (plain.read() == 77).all()
    assert codes(path) == ["E-FMT-01"]
    padded = tmp_path / f"padded_{name}"
    padded.write_text(" \n" * 500 + path.read_text())
    assert codes(padded) == ["E-FMT-01"]


@pytest.mark.parametrize(
    "content",
    [
        "<MRF_META><Raster><Size x='10' y='10' c='1'/></Raster></MRF_META>",
        "<GDAL_WMS><Service name='TMS'><ServerUrl>http://127.0.0.1:9/</ServerUrl></Service></GDAL_WMS>",
        "<WCS_GDAL><ServiceURL>http://127.0.0.1:9/</ServiceURL></WCS_GDAL>",
        '{"type": "STACIT"}',
    ],
)
def test_formats_that_write_or_fetch_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "scene.tif"
    path.write_text(content)
    assert codes(path) == ["E-FMT-01"]


@pytest.mark.parametrize(
    "address",
    [
        "/vsicurl/http://127.0.0.1:9/a.tif",
        "http://127.0.0.1:9/a.tif",
        "/vsizip//etc/a.zip/a.tif",
        "s3://bucket/a.tif",
        "GTIFF_DIR:1:/etc/passwd",
        "/dev/zero",
    ],
)
def test_only_local_files_are_opened(address: str) -> None:
    with pytest.raises(SceneError, match="E-FMT-01"), open_raster(address):
        pass


def test_geotiff_whose_overviews_are_another_file_is_refused(
    tmp_path: Path, secret: Path, make_raster: Callable[..., Path]
) -> None:
    path = make_raster("evil.tif")
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(vrt(tmp_path / "o.vrt", secret)))
    with rasterio.open(path) as plain:  # the attack works on an unguarded reader, through the allow-listed driver
        assert (plain.read(out_shape=(4, 32, 40)) == 77).all()
    assert codes(path) == ["E-FMT-08"]


def test_neighbours_of_an_image_are_not_opened(tmp_path: Path, secret: Path, make_raster: Callable[..., Path]) -> None:
    path = make_raster("plain.tif")
    vrt(tmp_path / "plain.tif.ovr", secret)
    with open_raster(path) as dataset:
        assert dataset.overviews(1) == []
        assert (dataset.read(out_shape=(4, 32, 40)) != 77).any()
    envi = make_raster("e.dat", driver="ENVI")
    vrt(tmp_path / "e.dat.ovr", secret)
    assert codes(envi) == ["E-FMT-08"]


def test_pcidsk_whose_channels_are_other_files_is_refused(make_raster: Callable[..., Path]) -> None:
    path = make_raster("linked.pix", driver="PCIDSK", INTERLEAVING="FILE")
    with rasterio.open(path) as plain:
        assert plain.read().any()
    assert codes(path) == ["E-FMT-08"]


def test_decompression_bomb_is_refused_before_a_pixel_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tif"
    profile = {"driver": "GTiff", "width": 100_000, "height": 100_000, "count": 4, "dtype": "uint16"}
    with rasterio.open(path, "w", **profile, tiled=True, sparse_ok=True, bigtiff="YES", crs="EPSG:4538"):
        pass
    assert path.stat().st_size < 2_000_000  # 80 GB declared
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert codes(path) == ["E-FMT-07"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_more_pixels_than_the_cap_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    profile = {"driver": "GTiff", "width": 300_000, "height": 300_000, "count": 1, "dtype": "uint8"}
    with rasterio.open(
        path, "w", **profile, tiled=True, sparse_ok=True, bigtiff="YES", blockxsize=4096, blockysize=4096
    ):
        pass
    assert codes(path) == ["E-FMT-06"]


def test_one_enormous_compressed_block_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "block.tif"
    side = 32_768
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 2, "dtype": "uint8", "interleave": "pixel"}
    layout = {"tiled": True, "blockxsize": side, "blockysize": side, "sparse_ok": True}
    with rasterio.open(path, "w", **profile, **layout, compress="deflate"):
        pass
    with path.open("r+b") as stream:  # enough bytes to pass for honest data of that size
        stream.truncate(4_000_000)
    assert codes(path) == ["E-FMT-06"]


def test_wrong_extension_is_told_along_with_other_faults(make_raster: Callable[..., Path]) -> None:
    path = make_raster("scene.img", crs=None)
    report = inspect_scene(path)
    assert {"E-FMT-04", "E-GEO-01"} <= set(report.codes)
    assert {finding.values.get("value") for finding in report.findings if finding.code == "E-FMT-04"} == {"GTiff"}
