"""Noise of a sensor: variance a·x + b in linear light, lines of their own brightness at times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Picture = np.ndarray[Any, np.dtype[Any]]
SHOT = (1e-4, 1.2e-2)


@dataclass(frozen=True, slots=True)
class Sensor:
    """``shot`` a and ``read`` b of the variance a·x + b; ``rows``: standard deviation of whole lines."""

    shot: float
    read: float
    rows: float = 0.0


def draw(rng: np.random.Generator) -> Sensor:
    """ln a ~ U(ln 1e-4, ln 1.2e-2), ln b ~ N(2.18 ln a + 1.20, 0.26) (Brooks et al. 2019); lines in a fifth of all."""
    log_shot = rng.uniform(*np.log(SHOT))
    log_read = rng.normal(2.18 * log_shot + 1.20, 0.26)
    read = float(np.exp(log_read))
    rows = float(np.sqrt(read) * rng.uniform(0.2, 1.0)) if rng.random() < 0.2 else 0.0
    return Sensor(float(np.exp(log_shot)), read, rows)


def noisy(light: Picture, sensor: Sensor, rng: np.random.Generator) -> Picture:
    """A linear picture as the sensor reads it; may fall below 0 and rise above 1."""
    variance = sensor.shot * np.maximum(light, 0) + sensor.read
    read = light + np.sqrt(variance) * rng.standard_normal(light.shape, np.float32)
    if sensor.rows:
        read = read + np.float32(sensor.rows) * rng.standard_normal((light.shape[0], 1, 1), np.float32)
    return read.astype(np.float32)
