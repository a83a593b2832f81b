"""Reflectances of the ground in the bands blue, green, red, near infrared.

Surface reflectance 0-1; values are of the order that spectral libraries give for such materials in 450-890 nm.
"""

from __future__ import annotations

import numpy as np

from landdamage.simulation.noise import Field


def _bgrn(*values: float) -> Field:
    return np.array(values, dtype=np.float32)


# Weathered country rock and desert pavement: the background.
COUNTRY_ROCKS = (
    _bgrn(0.105, 0.135, 0.170, 0.215),  # tan
    _bgrn(0.095, 0.112, 0.130, 0.165),  # dark grey slate
    _bgrn(0.090, 0.120, 0.172, 0.215),  # red-brown sandstone
    _bgrn(0.130, 0.160, 0.188, 0.225),  # pale silt
)
ALLUVIUM = _bgrn(0.165, 0.195, 0.220, 0.260)
ROAD = _bgrn(0.185, 0.215, 0.240, 0.275)

# Fresh rock of pits, one per mine.
PIT_ROCKS = (
    _bgrn(0.200, 0.245, 0.285, 0.325),  # buff limestone
    _bgrn(0.255, 0.275, 0.290, 0.310),  # grey-white
    _bgrn(0.150, 0.205, 0.290, 0.340),  # ochre
    _bgrn(0.190, 0.215, 0.235, 0.265),  # grey-buff sandstone over coal
)
COAL = _bgrn(0.045, 0.048, 0.052, 0.060)
DUMP_ROCKS = (
    _bgrn(0.120, 0.128, 0.134, 0.148),
    _bgrn(0.098, 0.103, 0.107, 0.118),
    _bgrn(0.138, 0.148, 0.158, 0.172),
)
BEACHES = (
    _bgrn(0.290, 0.325, 0.350, 0.375),  # pale grey
    _bgrn(0.250, 0.305, 0.350, 0.385),  # cream
    _bgrn(0.305, 0.330, 0.335, 0.350),  # bluish white
)
DAM = _bgrn(0.190, 0.215, 0.235, 0.265)
TAILINGS_WATER = _bgrn(0.150, 0.195, 0.170, 0.095)
PIT_WATER = _bgrn(0.065, 0.105, 0.070, 0.022)
RIVER_WATER = _bgrn(0.062, 0.076, 0.055, 0.022)

YARD = _bgrn(0.165, 0.185, 0.200, 0.225)
CONCRETE = _bgrn(0.235, 0.252, 0.262, 0.285)
ASPHALT = _bgrn(0.105, 0.110, 0.114, 0.125)
ROOFS = (
    _bgrn(0.40, 0.41, 0.41, 0.43),  # white sheet
    _bgrn(0.29, 0.30, 0.30, 0.32),  # grey sheet
    _bgrn(0.36, 0.25, 0.15, 0.24),  # blue sheet
    _bgrn(0.11, 0.13, 0.22, 0.27),  # red tile
)

SUMMER_GREEN = _bgrn(0.036, 0.066, 0.044, 0.330)
SUMMER_FOREST = _bgrn(0.022, 0.038, 0.026, 0.230)
AUTUMN_GREEN = _bgrn(0.050, 0.088, 0.092, 0.250)
AUTUMN_FOREST = _bgrn(0.026, 0.043, 0.034, 0.205)


def mixed(first: Field, second: Field, share: float) -> Field:
    """``first`` with a share 0-1 of ``second``."""
    return (first * np.float32(1 - share) + second * np.float32(share)).astype(np.float32)


def autumn_share(day_of_year: int) -> float:
    """How far the season has moved from high summer (0) to dry autumn (1); spring is a little pale."""
    if day_of_year < 165:
        return 0.30 * (165 - day_of_year) / 45
    return float(np.clip((day_of_year - 215) / 75, 0.0, 1.0))
