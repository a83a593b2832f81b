"""What a raster file says about itself and about other files, read from its first bytes before GDAL sees it.

GDAL follows references: a PCIDSK channel may name any file on the machine, an ENVI image takes overviews from a
neighbour of any format. So the format is told from content, and references are refused before the file is opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from minegis.errors import SceneError

# Formats the product reads, with the extensions people give them.
EXTENSIONS: dict[str, frozenset[str]] = {
    "GTiff": frozenset({".tif", ".tiff", ".gtiff", ".btf"}),
    "HFA": frozenset({".img"}),
    "PCIDSK": frozenset({".pix"}),
    "JP2OpenJPEG": frozenset({".jp2", ".j2k", ".j2c", ".jpx"}),
    "ENVI": frozenset({".dat", ".img", ".bsq", ".bil", ".bip", ".bin", ".raw"}),
}
_RAW_ONLY = frozenset({".dat", ".bsq", ".bil", ".bip", ".raw"})
_OTHER_EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".gif", ".vrt", ".ecw", ".sid", ".hdr", ".pdf", ".zip"})

_ALLOWED_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"II*\0", "GTiff"),
    (b"MM\0*", "GTiff"),
    (b"II+\0", "GTiff"),
    (b"MM\0+", "GTiff"),
    (b"EHFA_HEADER_TAG", "HFA"),
    (b"PCIDSK  ", "PCIDSK"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JP2OpenJPEG"),
    (b"\xff\x4f\xff\x51", "JP2OpenJPEG"),
)
_REFUSED_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1f\x8b", "GZIP"),
    (b"\x89HDF", "HDF5"),
    (b"CDF", "NetCDF"),
    (b"SQLite", "GeoPackage"),
    (b"ENVI", "ENVI header"),
)
_REFUSED_TEXT: tuple[tuple[bytes, str], ...] = (
    (b"<vrtdataset", "VRT"),
    (b"<mrf_meta", "MRF"),
    (b"<gdal_wms", "WMS"),
    (b"<wcs_gdal", "WCS"),
    (b"<gdaltileindexdataset", "GTI"),
)
_HEAD_BYTES = 4096
_HFA_SCAN_BYTES = 16 << 20  # the HFA file of a spilled image holds only its dictionary, a few hundred kB


@dataclass(frozen=True, slots=True)
class Format:
    """A driver of the allow-list and the bytes of pixel data at hand, companions included."""

    driver: str
    stored_bytes: int


def identify(path: Path, name: str | None = None) -> Format:
    """Tell the format of a local file from its content and refuse what must not reach GDAL.

    Args:
        path: the file.
        name: its owner's name for it, where ``path`` is a stored file named by hash; its extension decides only which
            code an unknown content gets.

    Raises:
        SceneError: E-UPL-02 empty; E-FMT-01 not a file of the allow-list (VRT, MRF, JPEG ... are named);
            E-FMT-02 shorter than it declares; E-FMT-03 ECW or MrSID; E-FMT-05 companion missing;
            E-FMT-08 it points to other files.
    """
    if not path.is_file():
        raise SceneError("E-FMT-01", value="not a file")
    suffix = Path(name or path.name).suffix.lower()
    size = path.stat().st_size
    if size == 0:
        raise SceneError("E-UPL-02")
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    for magic, driver in _ALLOWED_MAGIC:
        if head.startswith(magic):
            if driver == "PCIDSK":
                _check_pcidsk(path, head, size)
            if driver == "HFA":
                size += _spill_bytes(path)
            return Format(driver, size)
    for magic, format_name in _REFUSED_MAGIC:
        if head.startswith(magic):
            raise SceneError("E-FMT-01", value=format_name)
    text = head.lower()
    for tag, format_name in _REFUSED_TEXT:
        if tag in text:
            raise SceneError("E-FMT-01", value=format_name)
    if head.startswith(b"msid") or suffix in (".sid", ".ecw"):
        raise SceneError("E-FMT-03")
    header = envi_header(path)
    if header is not None:
        _check_envi(path, header, size)
        return Format("ENVI", size)
    if suffix in _RAW_ONLY:
        raise SceneError("E-FMT-05", value=".hdr")
    raise SceneError("E-FMT-01", value="unknown")


def extension_fits(file_name: str, driver: str) -> bool:
    """Whether the extension of a file name belongs to the driver; an unknown or absent extension fits everything."""
    suffix = Path(file_name).suffix.lower()
    known = frozenset().union(*EXTENSIONS.values()) | _OTHER_EXTENSIONS
    return suffix not in known or suffix in EXTENSIONS[driver]


def envi_header(path: Path) -> Path | None:
    """The ENVI header beside a raw image (``x.hdr`` or ``x.dat.hdr``), or None."""
    for candidate in (path.with_suffix(".hdr"), path.with_suffix(".HDR"), path.with_name(path.name + ".hdr")):
        if candidate != path and candidate.is_file():
            with candidate.open("rb") as stream:
                if stream.read(4) == b"ENVI":
                    return candidate
    return None


def _check_envi(path: Path, header: Path, size: int) -> None:
    """GDAL reads a short ENVI image as zeros and takes overviews and masks from any neighbour: refuse both."""
    for suffix in (".ovr", ".OVR", ".msk", ".MSK", ".aux", ".AUX"):
        if path.with_name(path.name + suffix).exists() or path.with_suffix(suffix).exists():
            raise SceneError("E-FMT-08", value=suffix)
    text = header.read_bytes()[: 1 << 20].decode("latin-1").lower()
    fields = {m[1].strip(): m[2].strip() for m in re.finditer(r"^([a-z ]+?)\s*=\s*([^\s{]+)", text, re.MULTILINE)}
    item = {"1": 1, "2": 2, "3": 4, "4": 4, "5": 8, "6": 8, "9": 16, "12": 2, "13": 4, "14": 8, "15": 8}
    try:
        row = int(fields["samples"]) * int(fields["bands"]) * item[fields["data type"]]
        lines, offset = int(fields["lines"]), int(fields.get("header offset", "0"))
    except (KeyError, ValueError):
        raise SceneError("E-FMT-02", row=0) from None
    if row <= 0 or offset < 0:
        raise SceneError("E-FMT-02", row=0)
    if size < offset + row * lines:
        raise SceneError("E-FMT-02", row=max(0, size - offset) // row)


def _check_pcidsk(path: Path, head: bytes, size: int) -> None:
    """A PCIDSK channel may be kept in another file: only channels inside the file are read.

    Layout (PCIDSK database file format, file header and image headers): interleaving at byte 360, block number of the
    image headers at 336, number of channels at 376, total blocks at 16; each image header is 1024 bytes with the
    channel's file name at 64, "/SIS=" for tiles kept inside.
    """
    try:
        blocks, start, channels = int(head[16:32]), int(head[336:352]), int(head[376:384])
    except ValueError:
        raise SceneError("E-FMT-02", row=0) from None
    if start < 1 or not 0 < channels <= 65_535:
        raise SceneError("E-FMT-02", row=0)
    with path.open("rb") as stream:
        stream.seek((start - 1) * 512)
        headers = stream.read(channels * 1024)
    if len(headers) < channels * 1024:
        raise SceneError("E-FMT-02", row=0)
    for channel in range(channels):
        name = headers[channel * 1024 + 64 : channel * 1024 + 128].strip(b" \0")
        if name and not name.startswith(b"/SIS="):
            raise SceneError("E-FMT-08", value=f"channel {channel + 1}")
    # GDAL reads a short band- or pixel-interleaved file without complaint; tiled files are sparse by design.
    if head[360:368].strip() in (b"BAND", b"PIXEL") and size < blocks * 512:
        raise SceneError("E-FMT-02", row=0)


def _spill_bytes(path: Path) -> int:
    """Bytes of the ``.ige`` file an ERDAS image keeps its pixels in; 0 when it keeps them itself."""
    with path.open("rb") as stream:
        found = re.search(rb"([^\x00-\x1f]+\.ige)\0", stream.read(_HFA_SCAN_BYTES), re.IGNORECASE)
    if found is None:
        return 0
    name = found[1].decode("utf-8", "replace")
    if "/" in name or "\\" in name:
        raise SceneError("E-FMT-08", value=".ige")
    companion = path.with_name(name)
    if not companion.is_file():
        raise SceneError("E-FMT-05", value=name)
    return companion.stat().st_size
