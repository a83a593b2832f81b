"""Write a district as georeferenced files, and turn its truth raster into polygons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.features import shapes
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from landdamage import taxonomy
from minegis.units import area_m2

if TYPE_CHECKING:
    from landdamage.simulation.district import District, SimulatedScene

LAYOUT = {"driver": "GTiff", "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "predictor": 2}


def to_ground(geometry: BaseGeometry, transform: Affine) -> BaseGeometry:
    """A geometry of pixel coordinates (column, row) in map coordinates."""
    return shapely.transform(geometry, lambda xy: np.column_stack(transform @ (xy[:, 0], xy[:, 1])))


def polygons(classes: NDArray[np.uint8], transform: Affine, crs: CRS) -> gpd.GeoDataFrame:
    """Polygons of equal class along pixel edges, nodata 255 left out, 4-neighbour pieces.

    Args:
        classes: (H, W) class ids.
        transform: pixel to map coordinates.
        crs: projected reference system of the transform.

    Returns:
        class_id, class_code, damage_kind, area_m2 (ellipsoidal, CGCS2000) and geometry. Water is given by its class
        alone (kind "none"): where it comes from is not in the raster.
    """
    rows = []
    for shape, value in shapes(classes, mask=classes != taxonomy.IGNORE, transform=transform):
        code = taxonomy.BY_ID[int(value)].code
        geometry = shapely.geometry.shape(shape)
        rows.append((int(value), code, taxonomy.damage_kind(code), area_m2(geometry, crs.to_wkt()), geometry))
    columns = ["class_id", "class_code", "damage_kind", "area_m2", "geometry"]
    return gpd.GeoDataFrame(rows, columns=columns, geometry="geometry").set_crs(crs.to_wkt())


def write_scene(path: Path, scene: SimulatedScene) -> None:
    """Write a scene as tiled deflate GeoTIFF with band names, nodata 0, date and sensor."""
    _, height, width = scene.pixels.shape
    profile: dict[str, Any] = LAYOUT | {"count": 4, "dtype": "uint16", "height": height, "width": width, "nodata": 0}
    with rasterio.open(path, "w", crs=scene.crs, transform=scene.transform, **profile) as target:
        target.write(scene.pixels)
        target.descriptions = ("B", "G", "R", "N")
        target.colorinterp = (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.nir)
        target.update_tags(
            TIFFTAG_DATETIME=scene.acquired.strftime("%Y:%m:%d %H:%M:%S"),
            TIFFTAG_SOFTWARE="MineGIS simulation",
            ACQUISITION_DATE=scene.acquired.date().isoformat(),
            SENSOR="simulated 4-band pushbroom",
        )


def write_classes(path: Path, classes: NDArray[np.uint8], transform: Affine, crs: CRS) -> None:
    """Write class ids as a palette GeoTIFF in the colours of the taxonomy, nodata 255."""
    height, width = classes.shape
    profile: dict[str, Any] = LAYOUT | {"count": 1, "dtype": "uint8", "height": height, "width": width, "nodata": 255}
    with rasterio.open(path, "w", crs=crs, transform=transform, **profile) as target:
        target.write(classes, 1)
        target.write_colormap(1, {c.id: (*c.rgb, 255) for c in taxonomy.CLASSES} | {taxonomy.IGNORE: (0, 0, 0, 0)})
        target.set_band_description(1, "land class")


def write_observed(path: Path, scene: SimulatedScene) -> None:
    """Write the ground a scene shows, without nodata, clouds and their shadows, as one layer of polygons."""
    seen = scene.labels != taxonomy.IGNORE
    outlines = [
        shapely.geometry.shape(outline)
        for outline, _ in shapes(seen.astype(np.uint8), mask=seen, transform=scene.transform)
    ]
    gpd.GeoDataFrame(geometry=outlines, crs=scene.crs.to_wkt()).to_file(path, layer="observed", driver="GPKG")


def write_district(district: District, folder: Path, progress: Callable[[str], None] | None = None) -> list[Path]:
    """Everything ``District.write`` promises; see there."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []

    def done(path: Path) -> None:
        written.append(path)
        if progress:
            progress(path.name)

    for year in district.years:
        scene = district.render(year)
        write_scene(path := folder / f"scene_{year}.tif", scene)
        done(path)
        write_observed(path := folder / f"observed_{year}.gpkg", scene)
        done(path)
        write_classes(path := folder / f"truth_{year}.tif", district.truth(year), district.transform, district.crs)
        done(path)
        district.truth_polygons(year).to_file(path := folder / f"truth_{year}.gpkg", layer="truth", driver="GPKG")
        done(path)
    district.mines().to_file(path := folder / "mines.gpkg", layer="mines", driver="GPKG")
    done(path)
    district.hydrography().to_file(path := folder / "hydrography.gpkg", layer="hydrography", driver="GPKG")
    done(path)
    district.region().to_file(path := folder / "region.gpkg", layer="region", driver="GPKG")
    done(path)
    return written
