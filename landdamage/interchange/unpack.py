"""Take a vector file of unknown origin apart: which sources it holds, unpacked where nothing else lies.

GDAL follows references (a VRT or a virtual SQLite table names any file), so a format is told from content against an
allow-list, and archives are unpacked by rules: no paths, no links, no passwords, limits on bytes and members.
"""

from __future__ import annotations

import re
import sqlite3
import stat
import zipfile
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from minegis.errors import MineGISError

MAX_BYTES: Final = 4 << 30
MAX_MEMBERS: Final = 5_000  # a file geodatabase has some ten files per table
MAX_RATIO: Final = 200  # of a whole archive; attribute tables full of blanks reach 100
_SUFFIX: Final = {"GPKG": ".gpkg", "GeoJSON": ".geojson"}
_SHP_PARTS: Final = (".shp", ".shx", ".dbf", ".prj")
_JSON_HEAD: Final = re.compile(rb'"type"\s*:\s*"(FeatureCollection|Feature|(?:Multi)?Polygon|GeometryCollection)"')


@dataclass(frozen=True, slots=True)
class Source:
    """One thing GDAL may open: the path, the owner's name for it, the driver, and what ``.cpg`` said."""

    path: Path
    name: str
    driver: str
    cpg: str = ""


def sources(path: Path, name: str, folder: Path) -> list[Source]:
    """What a file holds.

    Args:
        path: the file as it arrived.
        name: its owner's name for it.
        folder: an empty folder for what is unpacked.

    Raises:
        MineGISError: E-UPL-02 empty; E-ARC-01, -02, -03, -06 damaged, unsafe, too large, encrypted; E-FMT-08 it points
            to other files; E-VEC-01 a shapefile without its parts; E-VEC-13 no known format; E-VEC-16 too large.
    """
    size = path.stat().st_size
    if size == 0:
        raise MineGISError("E-UPL-02")
    if size > MAX_BYTES:
        raise MineGISError("E-VEC-16", value=f"{size >> 20} MB", limit=f"{MAX_BYTES >> 20} MB")
    with path.open("rb") as stream:
        head = stream.read(4)
    if head == b"PK\3\4":
        return _unpacked(path, folder)
    if head == b"\0\0\x27\x0a":
        raise MineGISError("E-VEC-01")  # a lone .shp
    source = _single(path, name)
    if path.suffix.lower() != _SUFFIX[source.driver]:  # GDAL wants the usual one; uploads have none
        source = replace(source, path=folder / f"source{_SUFFIX[source.driver]}")
        source.path.symlink_to(path.absolute())
    return [source]


def _single(path: Path, name: str) -> Source:
    with path.open("rb") as stream:
        head = stream.read(1 << 16)
    if head.startswith(b"SQLite format 3\0"):
        _check_sqlite(path)
        return Source(path, name, "GPKG")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{") and _JSON_HEAD.search(text) and b"stac_version" not in text:
        return Source(path, name, "GeoJSON")
    raise MineGISError("E-VEC-13", value=PurePosixPath(name).suffix or "?")


def _check_sqlite(path: Path) -> None:
    """Plain tables and spatial indexes only: a virtual table may stand for any file, a view or trigger for any code."""
    with path.open("rb") as stream:
        stream.seek(68)
        if stream.read(4) not in (b"GPKG", b"GP10", b"GP11"):
            raise MineGISError("E-VEC-13", value="SQLite")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
            rows = database.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'view' OR sql LIKE '%VIRTUAL%TABLE%'"
            ).fetchall()
    except sqlite3.Error:
        raise MineGISError("E-VEC-17") from None
    for name, sql in rows:
        if not re.match(r"CREATE\s+VIRTUAL\s+TABLE\s+\S+\s+USING\s+rtree\b", str(sql), re.IGNORECASE):
            raise MineGISError("E-FMT-08", value=name)


def _unpacked(path: Path, folder: Path) -> list[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [(info, _member_name(info)) for info in archive.infolist() if not info.is_dir()]
            _check(members, path.stat().st_size)
            return _take(archive, members, folder)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError):
        raise MineGISError("E-ARC-01") from None


def _member_name(info: zipfile.ZipInfo) -> str:
    """The name as its owner saw it: without the UTF-8 flag it is often GBK, which zipfile takes for CP437."""
    if info.flag_bits & 0x800:
        return info.filename
    raw = info.filename.encode("cp437", "replace")
    for codec in ("utf-8", "gb18030"):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    return info.filename


def _check(members: list[tuple[zipfile.ZipInfo, str]], packed: int) -> None:
    if len(members) > MAX_MEMBERS:
        raise MineGISError("E-ARC-03", limit=MAX_BYTES >> 30)
    for info, name in members:
        if info.flag_bits & 1:
            raise MineGISError("E-ARC-06")
        steps = re.split(r"[/\\]", name)
        if ".." in steps or name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or "\0" in name:
            raise MineGISError("E-ARC-02")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise MineGISError("E-ARC-02")
    total = sum(info.file_size for info, _ in members)
    if total > MAX_BYTES or total > max(MAX_RATIO * packed, 64 << 20):
        raise MineGISError("E-ARC-03", limit=MAX_BYTES >> 30)


def _take(archive: zipfile.ZipFile, members: list[tuple[zipfile.ZipInfo, str]], folder: Path) -> list[Source]:
    """Write what is known under names of our own, so that no foreign name reaches the disk."""
    by_name = {name: info for info, name in members}
    found: list[Source] = []
    tables: dict[str, list[tuple[str, zipfile.ZipInfo]]] = {}
    for name in sorted(by_name):
        file = PurePosixPath(name.replace("\\", "/"))
        inside = next((p for p in (file, *file.parents) if p.suffix.lower() == ".gdb"), None)
        if inside is not None and inside != file:
            tables.setdefault(str(inside), []).append((file.name, by_name[name]))
        elif file.suffix.lower() == ".shp":
            found.append(_take_shapefile(archive, by_name, file, name, folder / f"{len(found)}"))
        elif file.suffix.lower() in (".gpkg", ".geojson", ".json"):
            target = folder / f"{len(found)}{file.suffix.lower()}"
            _extract(archive, by_name[name], target)
            found.append(_single(target, file.name))
        elif file.suffix.lower() == ".dbf" and not any(_same(file, PurePosixPath(n), ".shp") for n in by_name):
            raise MineGISError("E-VEC-01")
    for number, (table, files) in enumerate(tables.items()):
        base = folder / f"t{number}.gdb"
        base.mkdir()
        for member, info in files:
            if re.fullmatch(r"a[0-9a-f]{8}\.\w+|gdb|timestamps", member, re.IGNORECASE):
                _extract(archive, info, base / member.lower())
        if not (base / "a00000001.gdbtable").is_file():
            raise MineGISError("E-VEC-17")
        found.append(Source(base, PurePosixPath(table).name, "OpenFileGDB"))
    if not found:
        raise MineGISError("E-VEC-13", value="zip")
    return found


def _same(a: PurePosixPath, b: PurePosixPath, suffix: str) -> bool:
    return b.suffix.lower() == suffix and str(a.with_suffix("")).lower() == str(b.with_suffix("")).lower()


def _take_shapefile(
    archive: zipfile.ZipFile, by_name: dict[str, zipfile.ZipInfo], file: PurePosixPath, name: str, base: Path
) -> Source:
    """The parts of one shapefile; the ``.cpg`` is read, not kept, so that our word on the encoding is the only one."""
    parts = {}
    for suffix in (*_SHP_PARTS, ".cpg"):
        match = next((n for n in by_name if _same(file, PurePosixPath(n.replace("\\", "/")), suffix)), None)
        if match is not None:
            parts[suffix] = by_name[match]
    if not {".shx", ".dbf"} <= parts.keys():
        raise MineGISError("E-VEC-01")
    for suffix in _SHP_PARTS:
        if suffix in parts:
            _extract(archive, parts[suffix], base.with_suffix(suffix))
    cpg = archive.read(parts[".cpg"])[:40].decode("ascii", "replace") if ".cpg" in parts else ""
    return Source(base.with_suffix(".shp"), file.stem, "ESRI Shapefile", cpg)


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """Unpack one member; an archive that lies about its sizes stops at the size it declared."""
    left = info.file_size
    with archive.open(info) as source, target.open("wb") as out:
        while chunk := source.read(1 << 20):
            left -= len(chunk)
            if left < 0:
                raise MineGISError("E-ARC-03", limit=MAX_BYTES >> 30)
            out.write(chunk)
