"""From any accepted image to the one format everything else reads: a cloud-optimised GeoTIFF.

The COG holds the data bands under their names, validity as an internal mask (so no reader needs to know how the
original marked its collar), overviews, statistics and the scene's percentiles.
"""

from __future__ import annotations

import math
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError  # some GDAL errors reach Python as this, which has no public name
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader, DatasetWriter
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT

from landdamage.imagery.checks import SceneReport
from landdamage.imagery.georeference import corners, is_north_up_square
from landdamage.imagery.metadata import DATE_TAG, RMSE_TAG, SceneMetadata
from landdamage.imagery.open import CACHE_BYTES, READ_ERRORS, hardened_env, open_raster
from landdamage.imagery.pixels import block_windows, read_pixels
from landdamage.imagery.radiometry import HIGH_TAG, LOW_TAG, measured_stretch
from minegis.errors import JobCancelledError, SceneError

Progress = Callable[[float], object]

BLOCK = 512
_LARGEST_CACHE = 2 << 30
_STRIP_PIXELS = 1 << 21  # per step: 16 MB of four uint16 bands
_COLOURS = {"R": ColorInterp.red, "G": ColorInterp.green, "B": ColorInterp.blue}
_COG: dict[str, Any] = {
    "driver": "COG",
    "BLOCKSIZE": BLOCK,
    "COMPRESS": "DEFLATE",  # every GIS reads it; level 1 is 3 times faster than 6 and 3 % larger
    "LEVEL": 1,
    "PREDICTOR": "YES",
    "OVERVIEW_RESAMPLING": "AVERAGE",
    "BIGTIFF": "IF_SAFER",
    "STATISTICS": "AUTO",  # copied from the tags written here; GDAL itself would count masked pixels in
    "NUM_THREADS": 2,
}


def write_cog(
    src: Path | str,
    dst: Path | str,
    *,
    report: SceneReport,
    progress: Progress = lambda fraction: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Write the COG of an inspected image; it appears under its name only when complete.

    Rotated, flipped or non-square images are resampled once (bilinear) to north-up square pixels of their own CRS;
    square degrees count as square. 64-bit floats become 32-bit.

    Args:
        src: the file that was inspected.
        dst: where to write; work files lie beside it and need about twice the unpacked image.
        report: what ``inspect_scene`` found; gives bands, CRS and date.
        progress: called with a fraction 0-1, at least every few seconds.
        should_stop: asked with every progress; True ends the work.

    Raises:
        SceneError: the scene was rejected (its first error), or E-FMT-02 a block cannot be decoded.
        OSError: the COG or a work file cannot be written, for example because the disk is full.
        JobCancelledError: ``should_stop`` said so; nothing is left behind.
    """
    metadata = report.usable()
    dst = Path(dst)
    with _work_files(dst) as (flat, square, part), open_raster(src) as source:
        with _own_files():
            with rasterio.Env(GDAL_CACHEMAX=_row_cache(metadata)):
                _copy_flat(source, flat, metadata, report.valid_share == 1.0, _stage(progress, should_stop, 0.0, 0.5))
            ready = flat
            if not is_north_up_square(metadata.transform):
                _make_square(flat, square, _stage(progress, should_stop, 0.5, 0.6))
                ready = square
            _pack(ready, part, _stage(progress, should_stop, 0.6, 1.0))
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(dst)
    progress(1.0)


def _row_cache(metadata: SceneMetadata) -> int:
    """Bytes of GDAL's cache that hold two rows of blocks.

    With less, strips of a very wide image would send every output block to disk and back many times.
    """
    row = metadata.width * BLOCK * len(metadata.bands) * np.dtype(metadata.dtype).itemsize
    return min(max(CACHE_BYTES, 2 * row), _LARGEST_CACHE)


@contextmanager
def _work_files(dst: Path) -> Iterator[tuple[Path, Path, Path]]:
    token = uuid.uuid4().hex
    files = tuple(dst.with_name(f".{dst.name}.{token}.{step}.tif") for step in ("flat", "square", "part"))
    try:
        yield files[0], files[1], files[2]
    finally:
        for file in files:
            file.unlink(missing_ok=True)


@contextmanager
def _original(row: int = 0) -> Iterator[None]:
    """Reading the original: what fails here is the image's fault."""
    try:
        yield
    except READ_ERRORS:
        raise SceneError("E-FMT-02", row=row) from None


@contextmanager
def _own_files() -> Iterator[None]:
    """Writing work files and reading them back: what fails here is the disk's fault."""
    try:
        yield
    except (RasterioError, CPLE_BaseError) as error:
        raise OSError(f"the image could not be stored: {error}") from error


def _stage(progress: Progress, should_stop: Callable[[], bool], start: float, end: float) -> Progress:
    """Progress of one stage as part of the whole; asks for cancellation first."""

    def report(fraction: float) -> None:
        if should_stop():
            raise JobCancelledError
        progress(start + (end - start) * fraction)

    return report


def _profile(metadata: SceneMetadata, **changes: Any) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "width": metadata.width,
        "height": metadata.height,
        "count": len(metadata.bands),
        "dtype": "float32" if metadata.dtype == "float64" else metadata.dtype,
        "crs": metadata.crs,
        "transform": metadata.transform,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "interleave": "pixel",
        "bigtiff": "IF_SAFER",
        "photometric": "MINISBLACK",
        "sparse_ok": True,
        **changes,
    }


def _copy_flat(source: DatasetReader, flat: Path, metadata: SceneMetadata, all_valid: bool, progress: Progress) -> None:
    """Data bands, zeros where invalid, mask, names and percentiles, as an unpacked tiled GeoTIFF."""
    with _original():
        stretch = measured_stretch(source, metadata.band_indexes, mask=metadata.has_mask)
    moments = _Moments(len(metadata.bands))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"), rasterio.open(flat, "w", **_profile(metadata)) as out:
        for window in block_windows(source, _STRIP_PIXELS):
            with _original(window.row_off):
                pixels, valid = read_pixels(source, metadata.band_indexes, window, mask=metadata.has_mask)
            pixels = pixels.astype(out.dtypes[0], copy=False)
            pixels[:, ~valid] = 0
            out.write(pixels, window=window)
            if not all_valid:
                out.write_mask(valid, window=window)
            moments.add(pixels[:, valid])
            progress((window.row_off + window.height) / metadata.height)
        _describe(out, metadata)
        for band, low, high in zip(out.indexes, stretch.low, stretch.high, strict=True):
            percentiles = {LOW_TAG: repr(float(low)), HIGH_TAG: repr(float(high))}
            out.update_tags(band, **percentiles, **moments.tags(band - 1))


class _Moments:
    """Least, largest, mean and standard deviation per band, gathered part by part."""

    def __init__(self, bands: int) -> None:
        self._count = 0
        self._sum, self._squares = np.zeros(bands), np.zeros(bands)
        self._least, self._largest = np.full(bands, np.inf), np.full(bands, -np.inf)

    def add(self, values: NDArray[Any]) -> None:
        """Count in (bands, N) valid values."""
        if values.shape[1] == 0:
            return
        self._count += values.shape[1]
        for i, band in enumerate(values):
            exact = band.astype(np.float64)
            self._sum[i] += exact.sum()
            self._squares[i] += np.dot(exact, exact)
            self._least[i] = min(self._least[i], exact.min())
            self._largest[i] = max(self._largest[i], exact.max())

    def tags(self, band: int) -> dict[str, str]:
        """GDAL's statistics tags of one band (0-based)."""
        mean = self._sum[band] / self._count
        variance = max(0.0, self._squares[band] / self._count - mean * mean)
        found = {
            "MINIMUM": self._least[band],
            "MAXIMUM": self._largest[band],
            "MEAN": mean,
            "STDDEV": math.sqrt(variance),
        }
        return {f"STATISTICS_{name}": repr(float(value)) for name, value in found.items()}


def _describe(out: DatasetWriter, metadata: SceneMetadata) -> None:
    out.descriptions = metadata.bands
    names = [_COLOURS.get(band, ColorInterp.undefined) for band in metadata.bands]
    out.colorinterp = names if names[0] != ColorInterp.undefined else [ColorInterp.gray, *names[1:]]
    if metadata.acquired_on:
        out.update_tags(**{DATE_TAG: metadata.acquired_on.isoformat()})
    if metadata.georef_rmse_m is not None:
        out.update_tags(**{RMSE_TAG: repr(metadata.georef_rmse_m)})


def _make_square(flat: Path, square: Path, progress: Progress) -> None:
    """Resample to north-up square pixels as fine as the finer side, in the same CRS; the mask goes along."""
    with rasterio.open(flat) as source:
        t = source.transform
        size = min(math.hypot(t.a, t.d), math.hypot(t.b, t.e))
        x, y = np.transpose(corners(t, source.width, source.height))
        width, height = math.ceil(np.ptp(x) / size - 1e-6), math.ceil(np.ptp(y) / size - 1e-6)
        transform = from_origin(x.min(), y.max(), size, size)
        options = {"crs": source.crs, "transform": transform, "width": width, "height": height}
        with (
            WarpedVRT(source, resampling=Resampling.bilinear, add_alpha=True, **options) as view,
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"),
            rasterio.open(square, "w", **{**source.profile, "photometric": "MINISBLACK", **options}) as out,
        ):
            for window in block_windows(out, _STRIP_PIXELS):
                data = view.read(window=window)
                valid = data[-1] > 0
                pixels = data[:-1]
                pixels[:, ~valid] = 0
                out.write(pixels, window=window)
                out.write_mask(valid, window=window)
                progress((window.row_off + window.height) / height)
            out.descriptions, out.colorinterp = source.descriptions, source.colorinterp
            out.update_tags(**source.tags())
            for band in source.indexes:
                out.update_tags(band, **source.tags(band))


def _pack(ready: Path, part: Path, progress: Progress) -> None:
    """Run GDAL's COG driver in a thread, so that progress goes on while it works (GDAL releases the interpreter)."""
    failure: list[BaseException] = []

    def work() -> None:
        try:
            with hardened_env("GTiff"), rasterio.open(ready) as source:
                rasterio.shutil.copy(source, part, **_COG)
        except BaseException as error:  # handed to the caller's thread below
            failure.append(error)

    thread = threading.Thread(target=work, name="cog")
    stopped: BaseException | None = None
    thread.start()
    while thread.is_alive():
        try:
            thread.join(1.0)
            progress(min(1.0, part.stat().st_size / ready.stat().st_size) if part.exists() else 0.0)
        except BaseException as error:  # cancelled: GDAL cannot be interrupted, so wait, then say so
            stopped = error
            thread.join()
    if failure:
        raise failure[0]
    if stopped:
        raise stopped
