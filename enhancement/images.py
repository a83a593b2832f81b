"""Still images in and out: JPEG, PNG, WebP, BMP and TIFF of 8 to 16 bits, alpha kept, turned upright by their EXIF."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from PIL import Image, ImageFile, ImageOps
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from minegis.errors import EnhancementError, Finding

Pixels = np.ndarray[Any, np.dtype[Any]]
MAX_PIXELS = 200_000_000
# Suffixes by what the first bytes of a file say it is.
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
}
ALL_SUFFIXES = tuple(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
DEEP = ("PNG", "TIFF")  # formats with more than 8 bits
JPEG_QUALITY = 95


@dataclass(slots=True)
class Still:
    """An image: ``pixels`` (H, W, 3) B, G, R in uint8 or uint16 of ``bits``; ``alpha`` (H, W) or None.

    ``grey`` tells that the file has one channel, ``extra`` is what its writer gets back (EXIF, colour profile, CRS).
    """

    pixels: Pixels
    bits: int
    alpha: Pixels | None = None
    grey: bool = False
    findings: list[Finding] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


def format_of(path: Path) -> str | None:
    """What the first bytes say: a key of ``SUFFIXES``, or None.

    Raises:
        EnhancementError: E-ENH-07, the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise EnhancementError("E-ENH-07", value=path.name) from error
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return "TIFF"
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return "WEBP"
    return "BMP" if head[:2] == b"BM" else None


def read(path: Path, name: str = "") -> Still:
    """Read an image; ``name`` is what people call the file, if its path does not say it.

    Raises:
        EnhancementError: E-ENH-07 damaged or unreadable, E-ENH-08 no image, E-ENH-10 too large or of an unusable kind.
    """
    kind = format_of(path)
    name = name or path.name
    if kind is None:
        raise EnhancementError("E-ENH-08", value=name)
    deep = kind == "TIFF" or _is_deep_png(path, kind)
    still = _read_deep(path, kind, name) if deep else _read_plain(path, kind, name)
    if Path(name).suffix.lower() not in SUFFIXES[kind]:
        still.findings.append(Finding("E-ENH-09", values={"value": name, "kind": kind}))
    if still.alpha is not None:
        still.findings.append(Finding("E-ENH-11", values={"value": name}))
    return still


def _is_deep_png(path: Path, kind: str) -> bool:
    with path.open("rb") as file:
        head = file.read(26)
    return kind == "PNG" and len(head) == 26 and head[24] == 16


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise EnhancementError("E-ENH-10", value=f"{width} x {height}")


@contextmanager
def _truncated_is_damaged() -> Iterator[None]:
    """Let Pillow refuse files that break off; WeasyPrint, where loaded, tells it not to for the whole process."""
    former, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = former


def _read_plain(path: Path, kind: str, name: str) -> Still:
    try:
        with warnings.catch_warnings(), _truncated_is_damaged():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is checked below
            image: Image.Image
            with Image.open(path, formats=[kind]) as image:
                _check_size(*image.size)
                image.load()
                extra = {key: image.info[key] for key in ("icc_profile",) if image.info.get(key)}
                image = ImageOps.exif_transpose(image) or image
                exif = image.getexif()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise EnhancementError("E-ENH-07", value=name) from error
    if len(exif):
        extra["exif"] = exif.tobytes()
    alpha = None
    if image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = np.asarray(image)[:, :, 3]
    grey = image.mode in ("1", "L", "LA")
    pixels = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
    return Still(pixels, 8, alpha, grey, extra=extra)


def _read_deep(path: Path, kind: str, name: str) -> Still:
    driver = "PNG" if kind == "PNG" else "GTiff"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver=driver) as source:
                _check_size(source.width, source.height)
                if source.count not in (1, 2, 3, 4) or source.dtypes[0] not in ("uint8", "uint16"):
                    raise EnhancementError("E-ENH-10", value=f"{source.count} x {source.dtypes[0]}")
                bands = source.read()
                bits = int(source.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8 * bands.dtype.itemsize))
                extra = {"crs": source.crs, "transform": source.transform} if source.crs else {}
    except (RasterioError, OSError) as error:
        raise EnhancementError("E-ENH-07", value=name) from error
    grey = len(bands) < 3
    colours = np.repeat(bands[:1], 3, axis=0) if grey else bands[2::-1]
    alpha = bands[-1] if len(bands) in (2, 4) else None
    return Still(np.ascontiguousarray(colours.transpose(1, 2, 0)), bits, alpha, grey, extra=extra)


def write(still: Still, pixels: Pixels, path: Path) -> None:
    """Write changed pixels of an image as what the path's suffix says; the file appears whole or not at all.

    Raises:
        EnhancementError: E-ENH-12, the format cannot hold such an image; E-OUT-01, the folder cannot be written.
    """
    kind = next((kind for kind, suffixes in SUFFIXES.items() if path.suffix.lower() in suffixes), None)
    deep = pixels.dtype == np.uint16
    if kind is None or (deep and kind not in DEEP) or (still.alpha is not None and kind in ("JPEG", "BMP")):
        what = f"{path.suffix} / {still.bits} bit" + ("" if still.alpha is None else " + alpha")
        raise EnhancementError("E-ENH-12", value=what)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    except OSError as error:
        raise EnhancementError("E-OUT-01", value=path) from error
    os.close(handle)
    partial = Path(name)
    try:
        partial.chmod(0o644)
        (_write_deep if deep or kind == "TIFF" else _write_plain)(still, pixels, partial, kind)
        partial.replace(path)
    except (OSError, RasterioError) as error:
        raise EnhancementError("E-OUT-01", value=path) from error
    finally:
        partial.unlink(missing_ok=True)


def _write_plain(still: Still, pixels: Pixels, path: Path, kind: str) -> None:
    rgb = pixels[:, :, ::-1]
    image = Image.fromarray(np.ascontiguousarray(rgb if still.alpha is None else np.dstack([rgb, still.alpha])))
    if still.grey and still.alpha is None:
        image = image.convert("L")
    options = {"JPEG": {"quality": JPEG_QUALITY, "subsampling": 0}, "WEBP": {"quality": JPEG_QUALITY}}.get(kind, {})
    kept = {key: value for key, value in still.extra.items() if key in ("exif", "icc_profile") and kind != "BMP"}
    image.save(path, format=kind, **options, **kept)


def _write_deep(still: Still, pixels: Pixels, path: Path, kind: str) -> None:
    colours = pixels[:, :, :1] if still.grey else pixels[:, :, ::-1]
    bands = np.moveaxis(colours, 2, 0)
    if still.alpha is not None:
        bands = np.concatenate([bands, still.alpha[None]])
    options: dict[str, Any] = {key: still.extra[key] for key in ("crs", "transform") if key in still.extra}
    if kind == "TIFF":
        options |= {"compress": "deflate", "predictor": 2, "photometric": "MINISBLACK" if still.grey else "RGB"}
        if still.alpha is not None:
            options["alpha"] = "yes"
        if still.bits not in (8, 16):
            options |= {"nbits": still.bits, "predictor": 1}
    count, height, width = bands.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff" if kind == "TIFF" else "PNG", count=count, height=height, width=width,
            dtype=bands.dtype, **options,
        ) as out:  # fmt: skip
            out.write(bands)
