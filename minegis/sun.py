"""Where the sun stands. No Django here."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sun:
    """Where the sun stands: azimuth clockwise from north and elevation, degrees."""

    azimuth: float
    elevation: float


def sun_position(day: dt.date, hour: float, latitude: float) -> Sun:
    """Solar position by Cooper's declination formula (1969) at a local solar hour, good to 1.5 degrees.

    Args:
        day: calendar day.
        hour: local solar time, 0-24; 12 when the sun stands in the meridian.
        latitude: degrees, north positive.
    """
    lat = np.radians(latitude)
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + day.timetuple().tm_yday) / 365)
    angle = np.radians(15 * (hour - 12))
    up = np.sin(lat) * np.sin(declination) + np.cos(lat) * np.cos(declination) * np.cos(angle)
    east = -np.cos(declination) * np.sin(angle)
    north = np.cos(lat) * np.sin(declination) - np.sin(lat) * np.cos(declination) * np.cos(angle)
    return Sun(float(np.degrees(np.arctan2(east, north)) % 360), float(np.degrees(np.arcsin(up))))
