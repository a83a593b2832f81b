"""One call from a scene to its interpretation: rasters, patches and areas that agree with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landdamage.interpretation.blocks import BLOCK_PIXELS, Claims, Shared, cut, share_key
from landdamage.interpretation.engine import Engine
from landdamage.interpretation.ground import Ground
from landdamage.interpretation.models import ModelCard
from landdamage.interpretation.patch_file import BATCH, patch_count, read_patches, write_patches
from landdamage.interpretation.polygons import SIMPLIFY_PIXELS, Rasters, minimum_mapping_unit_m2, vectorise
from landdamage.interpretation.predict import predict_blocks, predict_strips
from landdamage.interpretation.source import SceneSource, open_scene
from landdamage.interpretation.strips import Shelf, StripStore
from minegis.errors import Finding
from minegis.heap import give_back
from minegis.windows import OVERLAP, PANEL_WIDTH, Plan

if TYPE_CHECKING:
    import geopandas as gpd

NETWORK_SHARE = 0.8  # of the progress bar
Crew = Callable[[Shared], AbstractContextManager[Claims]]  # how workers come to their blocks


@dataclass(frozen=True)
class Interpretation:
    """What a model found on a scene.

    Attributes:
        class_raster: uint8 class ids on the working grid, palette, 255 = not observed.
        confidence_raster: probability of the class in steps of 1/200 (scale in the file), 255 = not observed.
        margin_raster: distance to the second class, likewise.
        patch_file: GeoPackage of the patches, layer ``patches``; lies in the work folder and goes with it.
        patch_count: how many it holds.
        areas_cm2: sum of the patches' areas for every foreground class id.
        findings: warnings beyond those of ``choose_model``.
        model: the card.
        engine: device, number type and library that computed it.
        params: what the result depends on beside scene and model.
        windows: how many windows went through the network in this call.
    """

    class_raster: Path
    confidence_raster: Path
    margin_raster: Path
    patch_file: Path
    patch_count: int
    areas_cm2: dict[int, int]
    findings: list[Finding]
    model: ModelCard
    engine: str
    params: dict[str, Any] = field(default_factory=dict)
    windows: int = 0

    def patch_batches(self, size: int = BATCH) -> Iterator[gpd.GeoDataFrame]:
        """The patches, at most ``size`` at once.

        Polygons of classes 1-7 in EPSG:4490: class_id, class_code, damage_kind, confidence (mean), confidence_p5
        (5 % quantile), margin (mean), pixels, area_cm2, geometry.
        """
        return read_patches(self.patch_file, size)

    @property
    def patches(self) -> gpd.GeoDataFrame:
        """All patches at once: for scenes whose patches fit in memory."""
        import pandas as pd

        return pd.concat(list(self.patch_batches()), ignore_index=True)


def interpret_scene(
    path: Path,
    workdir: Path,
    *,
    engine: Engine,
    bands: Sequence[str],
    progress: Callable[[str, float], None] = lambda stage, fraction: None,
    should_stop: Callable[[], bool] = lambda: False,
    min_area_m2: float | None = None,
    simplify_pixels: float = SIMPLIFY_PIXELS,
    ground: Ground | None = None,
    crew: Crew | None = None,
    block_pixels: int = BLOCK_PIXELS,
    shelf: Shelf | None = None,
) -> Interpretation:
    """Interpret a scene in its own CRS with memory bounded by a strip of it.

    Finished strips lie in ``workdir/strips``: called again with the same arguments after any interruption it goes on
    from them, and the pixels equal those of an undisturbed run.

    Args:
        path: a raster that passed ``inspect_scene``.
        workdir: folder for strips and results; the caller removes it.
        engine: the loaded network.
        bands: band names in the order of the file.
        progress: called with the stage, ``network`` or ``polygons``, and the share of the whole that is done, 0-1.
        should_stop: asked before every batch of windows and every block of rows.
        min_area_m2: minimum mapping unit in m²; None means max(400, 25 gsd²).
        simplify_pixels: width of the strip in which borders may be smoothed, 0 to 1 pixels; 0 for none.
        ground: what is wanted; windows that show nothing of it are not computed, and outside the result is 255.
        crew: how the blocks of a scene that has more than one are shared out; None means this process does them all.
        block_pixels: size of a block, about.
        shelf: where workers that see another ``workdir`` find the strips and leave theirs.

    Raises:
        SceneError: the scene cannot be opened or read, or has no place (E-FMT-*, E-GEO-01); E-AOI-02 nothing of it is
            wanted.
        ModelError: E-MOD-04 a required band is missing.
        JobCancelledError: ``should_stop`` said so.
    """
    card = engine.card
    with open_scene(path, card, bands, ground) as source:
        findings = [Finding("E-MOD-05", "gsd_m", {"value": f"{source.gsd_m:.2f}"})] if source.decimated else []
        plan, params, inputs = _plan(path, source, engine, bands, ground)
        params |= {
            "min_area_m2": minimum_mapping_unit_m2(source.gsd_m) if min_area_m2 is None else min_area_m2,
            "simplify_pixels": simplify_pixels,
        }
        store = StripStore(workdir / "strips", plan, inputs, shelf)
        shared = Shared(store, cut(plan, block_pixels), share_key(engine, inputs, block_pixels))

        def reached(part: float) -> None:
            progress("network", NETWORK_SHARE * part)

        if crew is None or len(shared.blocks) == 1:
            computed = predict_strips(source, engine, store, reached, should_stop)
        else:
            with crew(shared) as claims:
                computed = predict_blocks(source, engine, shared, claims, reached, should_stop)
        give_back()
        rasters = Rasters(workdir / "class.tif", workdir / "confidence.tif", workdir / "margin.tif")
        tags = {
            "MODEL": f"{card.name} {card.version}",
            "WEIGHTS_SHA256": card.weights_sha256,
            "ENGINE": engine.name,
        }
        batches = vectorise(
            store,
            source,
            rasters,
            tags,
            lambda part: progress("polygons", NETWORK_SHARE + (1 - NETWORK_SHARE) * part),
            should_stop,
            min_area_m2=min_area_m2,
            simplify_pixels=simplify_pixels,
        )
        patch_file = workdir / "patches.gpkg"
        areas_cm2 = write_patches(patch_file, batches, tags)
    progress("polygons", 1.0)
    return Interpretation(
        class_raster=rasters.classes,
        confidence_raster=rasters.confidence,
        margin_raster=rasters.margin,
        patch_file=patch_file,
        patch_count=patch_count(patch_file),
        areas_cm2=areas_cm2,
        findings=findings,
        model=card,
        engine=engine.name,
        params=params,
        windows=computed,
    )


def help_scene(
    path: Path,
    workdir: Path,
    *,
    engine: Engine,
    bands: Sequence[str],
    crew: Crew,
    should_stop: Callable[[], bool],
    ground: Ground | None = None,
    block_pixels: int = BLOCK_PIXELS,
    shelf: Shelf | None = None,
) -> int | None:
    """Compute blocks of a scene that ``interpret_scene`` is at work on elsewhere, with the same arguments.

    Returns:
        How many windows went through the network here; None where the work there is not quite this: another model,
        engine or window, or other inputs.

    Raises:
        JobCancelledError: ``should_stop`` said so.
        SceneError, ModelError: as ``interpret_scene``.
    """
    with open_scene(path, engine.card, bands, ground) as source:
        plan, _, inputs = _plan(path, source, engine, bands, ground)
        store = StripStore.joined(workdir / "strips", plan, inputs, shelf)
        if store is None:
            return None
        shared = Shared(store, cut(plan, block_pixels), share_key(engine, inputs, block_pixels))
        with crew(shared) as claims:
            return predict_blocks(source, engine, shared, claims, lambda share: None, should_stop)


def _plan(
    path: Path, source: SceneSource, engine: Engine, bands: Sequence[str], ground: Ground | None
) -> tuple[Plan, dict[str, Any], dict[str, Any]]:
    """The windows, what the result depends on, and what the pixels of a strip depend on."""
    card = engine.card
    plan = Plan(source.height, source.width, card.window, min(OVERLAP, card.window // 4), PANEL_WIDTH)
    params: dict[str, Any] = {
        "window": plan.window,
        "overlap": plan.overlap,
        "mirrored": card.mirrored,
        "gsd_m": round(source.gsd_m, 4),
        "stretch": source.stretch.as_lists(),
        "bands": list(bands),
    }
    if ground is not None:
        params["ground"] = ground.digest()
    stat = path.stat()
    inputs = params | {
        "scene": [path.name, stat.st_size, stat.st_mtime_ns],
        "model": [card.name, card.version, card.weights_sha256],
        "engine": [engine.kind, engine.name, engine.batch],
        "size": [plan.height, plan.width, plan.panel_width],
    }
    return plan, params | {"engine": engine.kind}, inputs
