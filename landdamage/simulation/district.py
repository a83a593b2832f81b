"""A mining district over some years: exact truth on the ground, scenes as a satellite would deliver them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine
from scipy import ndimage

from landdamage import taxonomy
from landdamage.simulation import export, materials, sensor
from landdamage.simulation.canvas import Canvas
from landdamage.simulation.noise import Field, generator, smoothstep, spectral_noise
from landdamage.simulation.plan import make_plan
from landdamage.simulation.roads import pave, road_masks, spread_dust
from landdamage.simulation.terrain import country_rock, plant_cover, plant_density, relief, vegetation, without_small

PAD = 8  # pixels drawn beyond each edge, so that shifted and blurred scenes have no seams
SMALLEST = 256
EPSG = 4538  # CGCS2000 / 3-degree Gauss-Kruger CM 87E
ORIGIN = (498_000.0, 4_764_000.0)  # upper left corner of the ground grid: near 43 N 87 E
BACKGROUND = taxonomy.BY_CODE["background"].id
VEGETATION = taxonomy.BY_CODE["vegetation"].id
WATER = taxonomy.BY_CODE["water"].id


@dataclass(frozen=True)
class SimulatedScene:
    """One scene as delivered.

    ``pixels`` uint16 (4, H, W) in the order B, G, R, N, 1-4095 and 0 where there is no data; ``valid`` bool (H, W);
    ``labels`` uint8 (H, W) class ids in the geometry of the image, 255 where there is no data, cloud or cloud shadow;
    ``transform`` and ``crs`` as the product claims (off by ``shift`` pixels, rows and columns); ``acquired`` in UTC.
    """

    pixels: NDArray[np.uint16]
    valid: NDArray[np.bool_]
    labels: NDArray[np.uint8]
    transform: Affine
    crs: CRS
    acquired: dt.datetime
    shift: tuple[float, float]


class District:
    """A simulated mining district; the same arguments give the same pixels.

    Args:
        seed: any non-negative integer.
        size: pixels along each side, at least 256.
        gsd: ground sampling distance in metres.
        years: the years observed, ascending.
        origin: easting and northing of the upper left corner in EPSG:4538, metres.

    Raises:
        ValueError: size, gsd or years out of range.
    """

    def __init__(
        self,
        seed: int,
        size: int = 2048,
        gsd: float = 2.0,
        years: tuple[int, ...] = (2021, 2022, 2023),
        origin: tuple[float, float] = ORIGIN,
    ) -> None:
        if seed < 0 or size < SMALLEST or not 0.5 <= gsd <= 10:
            raise ValueError(f"seed >= 0, size >= {SMALLEST} and gsd 0.5-10 m are needed, not {seed}, {size}, {gsd}")
        if not years or list(years) != sorted(set(years)):
            raise ValueError(f"years must ascend without repetition, not {years}")
        self.seed, self.size, self.gsd, self.years = seed, size, gsd, tuple(years)
        self.crs = CRS.from_epsg(EPSG)
        self.transform = Affine(gsd, 0.0, origin[0], 0.0, -gsd, origin[1])
        self._side = size + 2 * PAD
        self.plan = make_plan(seed, size, PAD, gsd)
        self._relief = relief(seed, self._side, gsd, self.plan.river)
        self._latest: tuple[int, Canvas] | None = None

    def stage(self, year: int) -> float:
        """How far the district has developed: 0 in the first year, 1 in the last.

        Raises:
            ValueError: the year is not one of the district's.
        """
        if year not in self.years:
            raise ValueError(f"{year} is not one of {self.years}")
        return (year - self.years[0]) / max(self.years[-1] - self.years[0], 1)

    def acquisition(self, year: int) -> sensor.Acquisition:
        """Date, sun, drift, haze, clouds and misregistration of a year's scene."""
        self.stage(year)
        return sensor.plan_acquisition(self.seed, self.years, year)

    @cached_property
    def _natural(self) -> tuple[Field, Field]:
        """Bare ground and how well plants grow on it: the same every year, and half of the time of drawing one."""
        river = self.plan.river
        return (
            country_rock(self.seed, self._relief, self.gsd, river),
            plant_density(self.seed, self._relief, self.gsd, river),
        )

    def _ground(self, year: int) -> Canvas:
        """The ground of a year on the padded grid; the latest one drawn is kept, as truth and render want the same."""
        if self._latest and self._latest[0] == year:
            return self._latest[1]
        stage, side, gsd = self.stage(year), self._side, self.gsd
        autumn = materials.autumn_share(self.acquisition(year).day.timetuple().tm_yday)
        greens = (
            materials.mixed(materials.SUMMER_GREEN, materials.AUTUMN_GREEN, autumn),
            materials.mixed(materials.SUMMER_FOREST, materials.AUTUMN_FOREST, autumn),
        )
        river = self.plan.river
        rock, growth = self._natural
        canvas = Canvas(
            labels=np.full((side, side), BACKGROUND, np.uint8),
            height=self._relief.copy(),
            objects=np.zeros((side, side), np.float32),
            albedo=rock.copy(),
            gsd=gsd,
            greens=greens,
        )
        everywhere = (slice(None), slice(None))
        mask, density = vegetation(self.seed, year, growth, gsd)
        cover, colour = plant_cover(self.seed, mask, density, greens, gsd)
        canvas.lay(everywhere, cover, colour)
        canvas.labels[mask] = VEGETATION
        rough = spectral_noise(generator(self.seed, 51), side, 1.8)
        spread_dust(canvas, self.plan, rough)
        pave(canvas, *road_masks(self.seed, self.plan, side, gsd), rough)
        middle = river.distance(side) / (river.width / 2 * (1 + 0.16 * np.clip(density, -1, 1) + 0.025 * rough))
        stream = without_small(middle < 1, int(800 / gsd**2))
        shallow = np.exp(0.30 * smoothstep(middle, 0.4, 1.0) + 0.06 * rough).astype(np.float32)
        canvas.lay(everywhere, stream, materials.RIVER_WATER[:, None, None] * shallow)
        flat = ndimage.gaussian_filter(stream.astype(np.float32), 3 / gsd)
        canvas.height += flat * (ndimage.gaussian_filter(canvas.height, 60 / gsd) - canvas.height)
        canvas.labels[stream] = WATER
        for feature in self.plan.features:
            feature.paint(canvas, stage)
        self._latest = (year, canvas)
        return canvas

    def truth(self, year: int) -> NDArray[np.uint8]:
        """Exact class ids (size, size) uint8 of a year on the ground grid, without nodata."""
        return self._ground(year).labels[PAD:-PAD, PAD:-PAD].copy()

    def render(self, year: int) -> SimulatedScene:
        """The scene of a year as the sensor sees it."""
        ground, how = self._ground(year), self.acquisition(year)
        side, gsd = self._side, self.gsd
        rng = generator(self.seed, 61, year)
        light = sensor.illumination(ground.height, ground.objects, gsd, how.sun)
        cloud, shade = sensor.cloud_layers(self.seed, year, side, gsd, how.sun, how.clouds)
        veil = spectral_noise(rng, side, 3.2, 30.0)
        image = sensor.through_air(ground.albedo, light, how.haze, veil, cloud, shade)
        for band in range(4):
            image[band] = sensor.blur_and_shift(image[band], 0.54, how.shift)
        pixels = sensor.digitise(image[:, PAD:-PAD, PAD:-PAD], how.gain, how.offset, rng)
        index = np.arange(self.size)
        rows = np.rint(index + PAD - how.shift[0]).astype(int)
        cols = np.rint(index + PAD - how.shift[1]).astype(int)
        seen = np.ix_(rows, cols)
        labels = ground.labels[seen]
        labels[(cloud[seen] > 0.04) | (shade[seen] > 0.04)] = taxonomy.IGNORE
        valid = sensor.collar(rng, self.size)
        pixels[:, ~valid] = 0
        labels[~valid] = taxonomy.IGNORE
        acquired = dt.datetime.combine(how.day, dt.time(5, 20), tzinfo=dt.UTC)
        return SimulatedScene(pixels, valid, labels, self.transform, self.crs, acquired, how.shift)

    def truth_polygons(self, year: int) -> gpd.GeoDataFrame:
        """True polygons of a year: class_id, class_code, damage_kind, area_m2 (ellipsoidal), geometry in EPSG:4538."""
        return export.polygons(self.truth(year), self.transform, self.crs)

    def mines(self) -> gpd.GeoDataFrame:
        """The mines: code, name_zh, name_en, boundary (licence area in EPSG:4538)."""
        rows = []
        for site in self.plan.sites:
            reach = [shapely.Point(f.col - PAD, f.row - PAD).buffer(f.reach * 0.82) for f in site.features]
            hull = shapely.union_all(reach).convex_hull.simplify(6)
            cell = shapely.box(site.cell[1] - PAD, site.cell[0] - PAD, site.cell[3] - PAD, site.cell[2] - PAD)
            rows.append((site.code, site.name_zh, site.name_en, export.to_ground(hull & cell, self.transform)))
        frame = gpd.GeoDataFrame(rows, columns=["code", "name_zh", "name_en", "boundary"], geometry="boundary")
        return frame.set_crs(self.crs.to_wkt())

    def hydrography(self) -> gpd.GeoDataFrame:
        """The river as maps have it, of one width: kind, name_zh, name_en, geometry in EPSG:4538."""
        river = self.plan.river
        line = np.arange(self._side, dtype=np.float64)
        places = (line, river.centre) if river.across else (river.centre, line)  # columns, rows of pixels
        middle = shapely.LineString(np.column_stack([one - PAD + 0.5 for one in places]))  # through their centres
        bed = middle.buffer(river.width / 2, cap_style="flat").simplify(0.25) & shapely.box(0, 0, self.size, self.size)
        rows = [("river", "模拟河", "Simulated river", export.to_ground(bed, self.transform))]
        frame = gpd.GeoDataFrame(rows, columns=["kind", "name_zh", "name_en", "geometry"], geometry="geometry")
        return frame.set_crs(self.crs.to_wkt())

    def region(self) -> gpd.GeoDataFrame:
        """The outline of the district: code, name_zh, name_en, boundary in EPSG:4538."""
        outline = export.to_ground(shapely.box(0, 0, self.size, self.size), self.transform)
        row = (f"SIM{self.seed:04d}", f"模拟矿区{self.seed}", f"Simulated district {self.seed}", outline)
        frame = gpd.GeoDataFrame([row], columns=["code", "name_zh", "name_en", "boundary"], geometry="boundary")
        return frame.set_crs(self.crs.to_wkt())

    def write(self, folder: Path, progress: Callable[[str], None] | None = None) -> list[Path]:
        """Write every year's scene, truth raster and truth polygons, the mines and the region into a folder.

        Args:
            folder: created when missing; files of the same names are replaced.
            progress: called with the name of each file once it is written.

        Returns:
            The files: ``scene_YYYY.tif``, ``observed_YYYY.gpkg`` (ground neither cloud, shadow nor nodata hides),
            ``truth_YYYY.tif``, ``truth_YYYY.gpkg`` per year, ``mines.gpkg``, ``hydrography.gpkg``, ``region.gpkg``.
        """
        return export.write_district(self, Path(folder), progress)
