"""Every check of an uploaded image, run to the end and reported together.

A person who sends a faulty file learns all its faults at once, each with a code, a message in two languages and what
to do; no message holds a path of the server.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyproj
import pyproj.exceptions
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.io import DatasetReader
from shapely.geometry.base import BaseGeometry

from landdamage.imagery.bands import BandOrder, alpha_index, found_order, given_order
from landdamage.imagery.georeference import (
    Bounds,
    crs_finding,
    is_north_up_square,
    is_placed,
    parse_crs,
    place_findings,
    registration_finding,
)
from landdamage.imagery.metadata import SceneMetadata, date_tag, read_metadata
from landdamage.imagery.names import SceneName, parse_name
from landdamage.imagery.open import MAX_PIXELS, READ_ERRORS, open_raster
from landdamage.imagery.pixels import has_mask
from landdamage.imagery.preflight import extension_fits
from landdamage.imagery.survey import Survey, survey
from minegis.errors import Finding, SceneError

State = Literal["ready", "restricted", "rejected"]
DTYPES = frozenset({"uint8", "uint16", "int16", "float32", "float64"})
MIN_BANDS = 3
LOW_VALID_SHARE = 0.30  # a tilted orthoimage in its box keeps well over half
SEASON = range(5, 11)  # snow-free months in which years are compared
_FIRST_DATE = dt.date(1972, 7, 23)  # Landsat 1


@dataclass(frozen=True, slots=True)
class SceneReport:
    """All that was found about one file; ``metadata`` is None when it could not even be opened."""

    file_name: str
    metadata: SceneMetadata | None
    findings: tuple[Finding, ...]
    valid_share: float | None = None

    @property
    def state(self) -> State:
        """``rejected`` with any error, ``restricted`` with any warning, else ``ready``."""
        severities = {finding.severity for finding in self.findings}
        return "rejected" if "error" in severities else "restricted" if "warn" in severities else "ready"

    @property
    def codes(self) -> list[str]:
        """The codes found, in the order of the checks."""
        return [finding.code for finding in self.findings]

    def usable(self) -> SceneMetadata:
        """The metadata of a scene that may be processed.

        Raises:
            SceneError: the first error found.
        """
        for finding in self.findings:
            if finding.severity == "error":
                raise SceneError(finding.code, **finding.values)
        assert self.metadata is not None  # a file without metadata has an error
        return self.metadata

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: file_name, state, metadata, findings (both languages), valid_share."""
        return {
            "file_name": self.file_name,
            "state": self.state,
            "metadata": self.metadata.as_dict() if self.metadata else None,
            "findings": [finding.as_dict() for finding in self.findings],
            "valid_share": self.valid_share,
        }


def inspect_scene(
    path: Path | str,
    file_name: str | None = None,
    bands: Sequence[str] | None = None,
    monitored: Bounds | BaseGeometry | None = None,
    *,
    crs: str | int | None = None,
    acquired_on: dt.date | None = None,
    georef_rmse_m: float | None = None,
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[float], object] = lambda fraction: None,
) -> SceneReport:
    """Run all checks on a local file; reads every block once, in bounded memory.

    Args:
        path: the file.
        file_name: the name its owner gave it (stored files carry a hash); defaults to the path's own.
        bands: the owner's answer to "which band is which", e.g. ``["B", "G", "R", "N"]``; wins over everything.
        monitored: monitored region as west, south, east, north or polygon in longitude, latitude.
        crs: the owner's choice of CRS (EPSG number, "EPSG:4538" or WKT); wins over the file's.
        acquired_on: the owner's acquisition date; wins over name and tag.
        georef_rmse_m: the registration error that a person measured, metres; wins over what the file states.
        max_pixels: refuse larger images.
        progress: called with a fraction 0-1 while the blocks are read; what it raises ends the checks.

    Returns:
        A report; faults of the file never raise.
    """
    path = Path(path)
    label = Path((file_name or path.name).replace("\\", "/")).name
    name = parse_name(label)
    try:
        with open_raster(path, name=label, max_pixels=max_pixels) as dataset:
            findings: list[Finding] = []
            if not extension_fits(label, dataset.driver):
                findings.append(Finding("E-FMT-04", "file", {"name": label, "value": dataset.driver}))
            metadata, share = _inspect(dataset, name, bands, monitored, crs, acquired_on, findings, progress)
            if georef_rmse_m is not None:
                metadata = replace(metadata, georef_rmse_m=georef_rmse_m)
            unregistered = registration_finding(metadata.georef_rmse_m, metadata.gsd_m)
            findings += [unregistered] if unregistered else []
            return SceneReport(label, metadata, tuple(findings), share)
    except SceneError as error:
        found = error.finding()
        return SceneReport(label, None, (Finding(found.code, "file", found.values), *_date_findings(name, None, None)))
    except READ_ERRORS:
        return SceneReport(label, None, (Finding("E-FMT-02", "file", {"row": 0}), *_date_findings(name, None, None)))


def _inspect(
    dataset: DatasetReader,
    name: SceneName,
    bands: Sequence[str] | None,
    monitored: Bounds | BaseGeometry | None,
    crs: str | int | None,
    acquired_on: dt.date | None,
    findings: list[Finding],
    progress: Callable[[float], object],
) -> tuple[SceneMetadata, float | None]:
    """All checks on an open file, appended to ``findings``; metadata and the share of valid pixels."""
    order, believe_mask = _order(dataset, name, bands, findings)
    result = None
    dtypes = sorted({dataset.dtypes[i - 1] for i in order.indexes})
    if len(dtypes) > 1 or dtypes[0] not in DTYPES:
        findings.append(Finding("E-RAD-02", "dtype", {"value": "+".join(dtypes)}))
    else:
        result = survey(dataset, order.indexes, mask=believe_mask, progress=progress)
        findings += _pixel_findings(result, dtypes[0])
    if len(order.indexes) < MIN_BANDS:
        findings.append(Finding("E-RAD-01", "bands", {"value": len(order.indexes)}))
    used = _georeference(dataset, name, monitored, crs, findings)
    largest = None if result is None or np.isnan(result.largest).all() else float(np.nanmax(result.largest))
    metadata = read_metadata(
        dataset,
        name,
        order,
        crs=used,
        acquired_on=acquired_on,
        largest=largest,
        has_mask=believe_mask and has_mask(dataset),
    )
    findings += _date_findings(name, date_tag(dataset), metadata.acquired_on)
    return metadata, None if result is None or result.failed_row is not None else result.valid_share


def _order(
    dataset: DatasetReader, name: SceneName, bands: Sequence[str] | None, findings: list[Finding]
) -> tuple[BandOrder, bool]:
    """The band order to use, and whether the file's mask is one."""
    try:
        if bands:
            given = given_order(dataset, bands)
            if given is not None:
                return given, alpha_index(dataset) not in given.indexes
            findings.append(Finding("E-RAD-08", "bands", {"value": ",".join(bands), "count": dataset.count}))
        order = found_order(dataset, name)
        if not order.certain and not bands:
            findings.append(Finding("E-RAD-05", "bands"))
        return order, alpha_index(dataset) not in order.indexes
    except READ_ERRORS:  # blocks cannot be decoded: the survey will name the row
        return BandOrder(tuple(f"X{i}" for i in dataset.indexes), tuple(dataset.indexes), False), False


def _pixel_findings(result: Survey, dtype: str) -> list[Finding]:
    if result.failed_row is not None:
        return [Finding("E-FMT-02", "file", {"row": result.failed_row})]
    findings = []
    constant = result.constant_bands
    if len(constant) == len(result.least):
        findings.append(Finding("E-RAD-03", "bands"))
    else:
        # One dead band among live ones does not stop a scene, but nobody should miss it.
        findings += [Finding("E-RAD-03", f"band {i + 1}", severity_override="warn") for i in constant]
        if result.valid_share < LOW_VALID_SHARE:
            findings.append(Finding("E-RAD-04", "valid_share", {"value": f"{100 * result.valid_share:.2f}"}))
    if dtype == "uint8":
        findings.append(Finding("E-RAD-06", "dtype"))
    return findings


def _georeference(
    dataset: DatasetReader,
    name: SceneName,
    monitored: Bounds | BaseGeometry | None,
    chosen: str | int | None,
    findings: list[Finding],
) -> CRS | None:
    """The CRS to use, None where there is none that can be used."""
    placed = is_placed(dataset.transform)
    raw = bool(dataset.gcps[0]) or dataset.rpcs is not None or name.product_level in ("L1A", "L1L")
    if not placed and raw:
        findings.append(Finding("E-GEO-02", "crs"))
        return None
    if placed and not is_north_up_square(dataset.transform):
        findings.append(Finding("E-GEO-05", "transform"))
    try:
        crs = parse_crs(chosen) if chosen is not None else dataset.crs
        proj = pyproj.CRS.from_wkt(crs.to_wkt()) if crs else None
    except (CRSError, pyproj.exceptions.CRSError):
        findings.append(Finding("E-CRS-05", "crs", {"value": str(chosen)[:40] if chosen is not None else "?"}))
        return None
    if not crs or proj is None:
        findings.append(Finding("E-GEO-01", "crs"))
        x, y = dataset.transform * (dataset.width / 2, dataset.height / 2)
        if placed and 1e5 <= x < 1e6 and 1.5e6 <= y <= 6.5e6:
            findings.append(Finding("E-CRS-03", "crs"))
        return None
    unusable = crs_finding(proj)
    if unusable is not None:
        findings.append(unusable)
        return None
    if not placed:
        findings.append(Finding("E-GEO-08", "transform"))
        return crs
    findings += place_findings(proj, dataset.transform, dataset.width, dataset.height, monitored)
    return crs


def _date_findings(name: SceneName, tag: dt.date | None, used: dt.date | None) -> list[Finding]:
    used = used or name.acquired_on or tag
    findings = []
    if used is None:
        findings.append(Finding("E-QUA-03", "acquired_on", {"value": "—"}))
    elif not _FIRST_DATE <= used <= dt.date.today():
        findings.append(Finding("E-QUA-03", "acquired_on", {"value": used.isoformat()}))
    elif used.month not in SEASON:
        findings.append(Finding("E-QUA-04", "acquired_on", {"value": used.isoformat()}))
    if name.acquired_on and tag and abs((name.acquired_on - tag).days) > 1:
        findings.append(Finding("E-QUA-06", "acquired_on", {"value": f"{name.acquired_on} / {tag}"}))
    return findings
