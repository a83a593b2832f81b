"""Write the layers of an edition in the formats a bureau hands on.

GeoPackage, shapefile and file geodatabase keep CGCS2000 (or a Gauss-Kruger zone); GeoJSON and KML are WGS 84 by
definition, to which CGCS2000 is relabelled: the two agree within decimetres, and no public transformation is better.
"""

from __future__ import annotations

import csv
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, get_args

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from landdamage.interchange.attributes import layers
from landdamage.interchange.codes import FIELDS, THEMES
from landdamage.interchange.dbf import Encoding, byte_width, write_dbf
from landdamage.reports.data import EditionData
from minegis.errors import MineGISError
from minegis.units import CGCS2000_EPSG, gauss_kruger_epsg, reproject

Format = Literal["gpkg", "shp", "gdb", "geojson", "kml", "csv"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
Grid = Literal["4490", "gk", "gk-prefixed"]
GRIDS: Final[tuple[Grid, ...]] = get_args(Grid)
ENCODINGS: Final[tuple[Encoding, ...]] = get_args(Encoding)
SHP_LIMIT: Final = 2**31 - 2**20  # the format's offsets count 16-bit words in 32 bits; many readers stop at 2 GB
_PREFIX_STEP = 4534 - 4513  # EPSG: zones 25-45 with and without the zone number before the easting
_BATCH = 20_000
_WGS84_DIGITS = 7  # 1 cm
_NOTE = """坐标系说明 / Note on coordinates
GeoJSON(RFC 7946)和 KML 规定使用 WGS 84 经纬度。本文件由 CGCS2000 经纬度直接改标为 WGS 84,
二者相差在分米以内;坐标取 7 位小数。
面积字段(TBMJ 等)为 CGCS2000 椭球面积,请勿用本文件坐标重新量算。
GeoJSON (RFC 7946) and KML are WGS 84 by definition. CGCS2000 longitude and latitude were relabelled as WGS 84; the two
agree within decimetres. Coordinates have 7 decimals. Area columns (TBMJ ...) are ellipsoidal areas on CGCS2000.
"""


def write_vectors(
    data: EditionData,
    folder: Path,
    format: Format = "gpkg",  # noqa: A002
    encoding: Encoding = "utf-8",
    crs: Grid = "4490",
) -> Path:
    """Write every layer of an edition and return the one file that holds them.

    Args:
        data: the edition as its reader may see it; what it masks is not written.
        folder: an existing folder; work files lie in it meanwhile.
        format: ``gpkg`` is one file; the others are a zip of one file (shp: five, kml: one for all) per layer.
        encoding: of the shapefile's tables; the other formats are UTF-8.
        crs: ``4490``, or for gpkg, shp and gdb the 3-degree Gauss-Kruger zone of the edition's middle (``gk``:
            six-digit eastings, ``gk-prefixed``: with the zone number before them).

    Raises:
        MineGISError: E-VEC-14 no such format, encoding or grid, or a grid that the format cannot hold.
    """
    facts = data.edition
    name = f"MineGIS_{facts.region_code}_{facts.year}_v{facts.version}"
    return write_layers(layers(data), name, folder, format, encoding, crs)


def write_layers(
    frames: dict[str, gpd.GeoDataFrame],
    name: str,
    folder: Path,
    format: Format = "gpkg",  # noqa: A002
    encoding: Encoding = "utf-8",
    crs: Grid = "4490",
) -> Path:
    """``write_vectors`` for layers that were made before, by ``attributes.layers``; ``name`` begins the file's name."""
    for value, known in ((format, FORMATS), (encoding, ENCODINGS), (crs, GRIDS)):
        if value not in known:
            raise MineGISError("E-VEC-14", value=value, known=", ".join(known))
    if crs != "4490" and format not in ("gpkg", "shp", "gdb"):
        raise MineGISError("E-VEC-14", value=f"{format} + {crs}", known="4490")
    if format == "gpkg":
        path = folder / f"{name}.gpkg"
        path.unlink(missing_ok=True)
        _write_database(frames, path, "GPKG", crs)
        return path
    work = folder / f"{name}.work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    if format == "gdb":
        _write_database(frames, work / f"{name}.gdb", "OpenFileGDB", crs)
    elif format == "shp":
        for layer, frame in frames.items():
            write_shapefile(placed(frame, crs, middle_longitude(frames)), work, layer, encoding)
    else:
        _LOOSE[format](frames, work)
    return _zipped(work, folder / f"{name}_{format}{'_gbk' if encoding == 'gbk' and format == 'shp' else ''}.zip")


def middle_longitude(frames: dict[str, gpd.GeoDataFrame]) -> float:
    """Longitude of the middle of everything, which chooses the Gauss-Kruger zone."""
    bounds = np.array([frame.total_bounds for frame in frames.values() if len(frame)])
    return float((bounds[:, 0].min() + bounds[:, 2].max()) / 2) if len(bounds) else 87.0


def placed(frame: gpd.GeoDataFrame, crs: Grid, lon: float) -> gpd.GeoDataFrame:
    """The frame on the grid asked for; vertices are moved one by one, attributes stay."""
    if crs == "4490":
        return frame
    epsg = gauss_kruger_epsg(lon)
    if crs == "gk-prefixed":
        epsg -= _PREFIX_STEP
    moved = [reproject(shape, CGCS2000_EPSG, epsg) for shape in frame.geometry]
    return gpd.GeoDataFrame(frame.drop(columns="geometry"), geometry=moved, crs=epsg)


def _batches(frame: gpd.GeoDataFrame, size: int = _BATCH) -> Iterator[gpd.GeoDataFrame]:
    """Slices, so that a large layer is never held twice; an empty layer is one empty slice."""
    for start in range(0, max(1, len(frame)), size):
        yield frame.iloc[start : start + size]


def _write_database(frames: dict[str, gpd.GeoDataFrame], path: Path, driver: str, crs: Grid) -> None:
    lon = middle_longitude(frames)
    for layer, frame in frames.items():
        alias = THEMES[layer.split("_")[0]][0]  # type: ignore[index]
        options = {"DESCRIPTION": alias} if driver == "GPKG" else {"LAYER_ALIAS": alias, "TARGET_ARCGIS_VERSION": "ALL"}
        for number, batch in enumerate(_batches(frame)):
            pyogrio.write_dataframe(
                _typed(placed(batch, crs, lon)),
                path,
                layer=layer,
                driver=driver,
                append=number > 0,
                geometry_type="MultiPolygon",
                promote_to_multi=True,
                layer_options=None if number else options,
            )


def _typed(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Columns with the types every driver understands; text kept to its width in characters, nulls kept.

    Exact cm² go as doubles, which hold every integer below 9·10¹⁵ (900 000 km²): few readers know 64-bit integers.
    """
    out = frame.copy(deep=False)
    for field in FIELDS:
        if field.kind == "C":
            out[field.name] = [
                None if value is None or value != value else str(value)[: field.width] for value in out[field.name]
            ]
        elif field.decimals == 0:
            out[field.name] = out[field.name].astype(float if field.width > 9 else "int32")
        else:
            out[field.name] = out[field.name].astype(float)
    return out


def write_shapefile(
    frame: gpd.GeoDataFrame, folder: Path, layer: str, encoding: Encoding, limit: int = SHP_LIMIT
) -> list[Path]:
    """Write a layer as shapefile (.shp .shx .dbf .prj .cpg), in parts by class where one would pass ``limit`` bytes.

    Missing numbers are written as 0 and named in BZ, for the format has no null; text is cut between characters.

    Returns:
        The ``.shp`` files.
    """
    parts = _parts(frame, encoding, limit)
    paths = []
    for number, part in enumerate(parts, 1):
        path = folder / (f"{layer}.shp" if len(parts) == 1 else f"{layer}_{number}.shp")
        bare = gpd.GeoDataFrame({"NF": np.zeros(len(part), "int32")}, geometry=part.geometry.values, crs=frame.crs)
        pyogrio.write_dataframe(bare, path, driver="ESRI Shapefile", geometry_type="Polygon", encoding="UTF-8")
        write_dbf(path.with_suffix(".dbf"), without_nulls(part, encoding), FIELDS, encoding)
        paths.append(path)
    return paths


def without_nulls(frame: pd.DataFrame, encoding: Encoding) -> pd.DataFrame:
    """The table for a format without nulls: numbers that are missing become 0, and BZ begins with their names."""
    out = pd.DataFrame(frame.drop(columns="geometry", errors="ignore")).reset_index(drop=True)
    numbers = [field.name for field in FIELDS if field.kind == "N"]
    missing = out[numbers].isna()
    flags = missing.to_numpy() @ np.array([f"{name}," for name in numbers], dtype=object) if len(out) else []
    notes = out["BZ"].fillna("").astype(str)
    out["BZ"] = [f"缺值:{flag[:-1]};{note}" if flag else note for flag, note in zip(flags, notes, strict=True)]
    out[numbers] = out[numbers].fillna(0)
    return out


def _parts(frame: gpd.GeoDataFrame, encoding: Encoding, limit: int) -> list[gpd.GeoDataFrame]:
    """Cut a layer into parts that stay under the limit: by class first, then by rows."""
    vertices = shapely.get_num_coordinates(frame.geometry.values)
    rings = sum(shapely.get_num_interior_rings(p) + 1 for p in shapely.get_parts(frame.geometry.values))
    geometry_bytes = 52 + 16 * vertices  # plus 4 per ring
    row_bytes = 1 + sum(byte_width(field, encoding) for field in FIELDS)
    ring_bytes = 4 * rings / max(1, len(frame))

    def size(rows: np.ndarray) -> float:
        return max(float(geometry_bytes[rows].sum() + ring_bytes * len(rows)), float(row_bytes * len(rows)))

    everything = np.arange(len(frame))
    if size(everything) <= limit:
        return [frame]
    classes = frame["DWDM"].fillna("").to_numpy()
    parts = []
    for code in np.unique(classes):
        rows = everything[classes == code]
        pieces = int(np.ceil(size(rows) / limit))
        while any(size(piece) > limit and len(piece) > 1 for piece in np.array_split(rows, pieces)):
            pieces += 1
        parts += [frame.iloc[piece] for piece in np.array_split(rows, pieces)]
    return parts


def _wgs84(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Relabelled, with 7 decimals; a polygon too thin for them keeps its own."""
    full = frame.geometry.values
    short = shapely.set_precision(full, 10.0**-_WGS84_DIGITS)
    keep = shapely.is_empty(short) | (shapely.get_dimensions(short) != 2)
    out = _typed(frame)
    outlines = shapely.orient_polygons(np.where(keep, full, short))  # RFC 7946 wants shells counter-clockwise
    return out.set_geometry(gpd.GeoSeries(outlines, index=frame.index, crs=4326))


def _write_geojson(frames: dict[str, gpd.GeoDataFrame], folder: Path) -> None:
    for layer, frame in frames.items():
        pyogrio.write_dataframe(
            _wgs84(frame),
            folder / f"{layer}.geojson",
            driver="GeoJSON",
            RFC7946="YES",
            COORDINATE_PRECISION=str(_WGS84_DIGITS),
        )
    _note(folder)


def _write_kml(frames: dict[str, gpd.GeoDataFrame], folder: Path) -> None:
    for layer, frame in frames.items():
        named = _wgs84(frame).assign(Name=frame["TBBH"].astype(object))
        pyogrio.write_dataframe(named, folder / f"{layer}.kml", driver="LIBKML", layer=layer)
    _note(folder)


def _write_csv(frames: dict[str, gpd.GeoDataFrame], folder: Path) -> None:
    """Row by row, with a byte-order mark so that Excel reads the Chinese; numbers with their decimals, nulls empty."""
    names = [field.name for field in FIELDS]
    for layer, frame in frames.items():
        with (folder / f"{layer}.csv").open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([*names, "WKT"])
            for batch in _batches(frame):
                columns = [
                    ["" if pd.isna(v) else f"{v:.{f.decimals}f}" if f.kind == "N" else str(v) for v in batch[f.name]]
                    for f in FIELDS
                ]
                wkt = shapely.to_wkt(batch.geometry.values, rounding_precision=9)
                writer.writerows(zip(*columns, wkt, strict=True))


def _note(folder: Path) -> None:
    (folder / "README.txt").write_text(_NOTE, "utf-8-sig")


_LOOSE: MappingProxyType[str, Callable[[dict[str, gpd.GeoDataFrame], Path], None]] = MappingProxyType(
    {"geojson": _write_geojson, "kml": _write_kml, "csv": _write_csv}
)


def _zipped(work: Path, target: Path) -> Path:
    """Pack a folder and remove it."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in sorted(work.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(work).as_posix())
    shutil.rmtree(work)
    return target
