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
    _bgrn(0.108, 0.135, 0.164, 0.208),  # tan
    _bgrn(0.095, 0.112, 0.130, 0.165),  # dark grey slate
    _bgrn(0.094, 0.120, 0.158, 0.202),  # red-brown sandstone
    _bgrn(0.126, 0.152, 0.178, 0.218),  # pale silt
)
ALLUVIUM = _bgrn(0.165, 0.195, 0.220, 0.260)
ROAD = _bgrn(0.185, 0.215, 0.240, 0.275)

# Fresh rock of pits, one per mine.
PIT_ROCKS = (
    _bgrn(0.165, 0.200, 0.232, 0.265),  # buff limestone
    _bgrn(0.200, 0.216, 0.228, 0.246),  # grey-white
    _bgrn(0.125, 0.170, 0.236, 0.280),  # ochre
    _bgrn(0.160, 0.180, 0.198, 0.222),  # grey-buff sandstone over coal
)
COAL = _bgrn(0.045, 0.048, 0.052, 0.060)
DUMP_ROCKS = (
    _bgrn(0.112, 0.126, 0.138, 0.152),
    _bgrn(0.092, 0.101, 0.109, 0.121),
    _bgrn(0.126, 0.141, 0.154, 0.169),
)
BEACHES = (
    _bgrn(0.240, 0.266, 0.284, 0.304),  # pale grey
    _bgrn(0.224, 0.262, 0.288, 0.310),  # cream
    _bgrn(0.252, 0.270, 0.274, 0.284),  # bluish white
)
DAM = _bgrn(0.158, 0.178, 0.194, 0.218)
TAILINGS_WATER = _bgrn(0.142, 0.172, 0.136, 0.070)
PIT_WATER = _bgrn(0.078, 0.108, 0.070, 0.020)
RIVER_WATER = _bgrn(0.088, 0.106, 0.080, 0.026)

YARD = _bgrn(0.145, 0.164, 0.178, 0.200)
CONCRETE = _bgrn(0.190, 0.203, 0.211, 0.228)
ASPHALT = _bgrn(0.105, 0.110, 0.114, 0.125)
ROOFS = (
    _bgrn(0.31, 0.32, 0.32, 0.335),  # white sheet
    _bgrn(0.225, 0.232, 0.234, 0.25),  # grey sheet
    _bgrn(0.255, 0.198, 0.128, 0.20),  # blue sheet
    _bgrn(0.095, 0.108, 0.170, 0.22),  # red tile
)

SUMMER_GREEN = _bgrn(0.054, 0.092, 0.068, 0.300)
SUMMER_FOREST = _bgrn(0.035, 0.059, 0.041, 0.225)
AUTUMN_GREEN = _bgrn(0.063, 0.101, 0.097, 0.240)
AUTUMN_FOREST = _bgrn(0.038, 0.061, 0.048, 0.200)


def mixed(first: Field, second: Field, share: float) -> Field:
    """``first`` with a share 0-1 of ``second``."""
    return (first * np.float32(1 - share) + second * np.float32(share)).astype(np.float32)


def autumn_share(day_of_year: int) -> float:
    """How far the season has moved from high summer (0) to dry autumn (1); spring is a little pale."""
    if day_of_year < 165:
        return 0.30 * (165 - day_of_year) / 45
    return float(np.clip((day_of_year - 215) / 75, 0.0, 1.0))
