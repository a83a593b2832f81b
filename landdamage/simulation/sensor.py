"""From the ground to digital numbers: sun, air, clouds, optics, detector, product edges."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from landdamage.simulation.noise import Field, generator, smoothstep, spectral_noise
from minegis.sun import Sun, sun_position

LATITUDE = 43.0
LARGEST_DN = 4095
CLOUD_LIMIT = 0.08  # share of the scene that clouds and their shadows may cover


@dataclass(frozen=True)
class Acquisition:
    """How one year's scene is taken; drawn once from seed and year.

    ``shift`` is (rows, columns) by which the image content lies off the ground grid, pixels; ``gain`` multiplies and
    ``offset`` (DN) adds to each band; ``haze`` is optical thickness-like, 0 clear to 1 murky; ``clouds`` a number.
    """

    day: dt.date
    sun: Sun
    shift: tuple[float, float]
    gain: Field
    offset: Field
    haze: float
    clouds: int


def plan_acquisition(seed: int, years: tuple[int, ...], year: int) -> Acquisition:
    """Date (May to October, another part of the season each year), sun, drift, haze, clouds and misregistration."""
    rng = generator(seed, 41, year)
    number = years.index(year)
    whole = generator(seed, 42)
    start = int(whole.integers(0, 3))
    centre = (150, 200, 255)[(number + start) % 3]
    day = dt.date(year, 1, 1) + dt.timedelta(days=int(centre + rng.integers(-20, 21)) - 1)
    turn = float(whole.uniform(0, 2 * np.pi)) + np.radians(60) * number
    size = 0.0 if number == 0 else float(rng.uniform(1.25, 1.55))
    return Acquisition(
        day=day,
        sun=sun_position(day, float(rng.uniform(10.6, 11.5)), LATITUDE),
        shift=(size * float(np.sin(turn)), size * float(np.cos(turn))),
        gain=(rng.uniform(0.88, 1.12) * rng.uniform(0.96, 1.04, 4)).astype(np.float32),
        offset=rng.uniform(-14, 26, 4).astype(np.float32),
        haze=float(rng.beta(1.6, 4.0)),
        clouds=int(rng.choice([0, 1, 2, 3], p=[0.45, 0.2, 0.2, 0.15])),
    )


def illumination(height: Field, objects: Field, gsd: float, sun: Sun) -> Field:
    """Brightness factor of the relief: 1 on level ground in the sun, about 0.3 in cast shadow.

    Direct light follows the cosine of incidence; buildings, benches and dumps cast shadows up to 24 pixels long.
    """
    down, right = np.gradient(height, np.float32(gsd))
    azimuth, elevation = np.radians(sun.azimuth), np.radians(sun.elevation)
    east, north = np.float32(np.sin(azimuth)), np.float32(np.cos(azimuth))
    level = np.float32(np.sin(elevation))
    flat = np.float32(np.cos(elevation))
    cosine = (level - flat * (east * right - north * down)) / np.sqrt(1 + right * right + down * down)
    total = height + objects
    lit = np.ones_like(height)
    side = height.shape[0]
    rise = np.float32(np.tan(elevation) * gsd)
    for k in (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 24):
        r, c = round(-float(north) * k), round(float(east) * k)  # towards the sun: north is up the rows
        here = (slice(max(-r, 0), side - max(r, 0)), slice(max(-c, 0), side - max(c, 0)))
        there = (slice(max(r, 0), side + min(r, 0)), slice(max(c, 0), side + min(c, 0)))
        above = total[there] - total[here] - rise * np.float32(np.hypot(r, c))
        lit[here] = np.minimum(lit[here], 1 - smoothstep(above, 0.0, 1.6))
    sky = np.float32(0.24)
    return (sky + (1 - sky) * lit * np.clip(cosine, 0, None) / level).astype(np.float32)


def cloud_layers(seed: int, year: int, side: int, gsd: float, sun: Sun, number: int) -> tuple[Field, Field]:
    """Opacity of clouds and of their shadows, each (side, side) 0-1; together they stay below the cloud limit."""
    rng = generator(seed, 43, year)
    cloud = np.zeros((side, side), np.float32)
    shade = np.zeros((side, side), np.float32)
    azimuth = np.radians(sun.azimuth)
    for k in range(number):
        radius = rng.uniform(0.05, 0.085) * min(side, 2400)
        row, col = rng.uniform(0.1, 0.9, 2) * side
        away = rng.uniform(350, 800) / np.tan(np.radians(sun.elevation)) / gsd
        rag = spectral_noise(generator(seed, 44, year, k), side, 3.2, 3.0, 3 * radius)
        down, right = np.ogrid[:side, :side]
        one = smoothstep(1.0 - np.hypot(down - row, right - col) / radius + 0.38 * rag, 0.2, 0.75)
        one = one.astype(np.float32) * (np.hypot(down - row, right - col) < 2.0 * radius)
        cast = ndimage.shift(one, (np.cos(azimuth) * away, -np.sin(azimuth) * away), order=1)
        if float(((cloud > 0.04) | (shade > 0.04) | (one > 0.04) | (cast > 0.04)).mean()) > CLOUD_LIMIT * 0.85:
            continue
        cloud, shade = np.maximum(cloud, one), np.maximum(shade, cast)
    return cloud, ndimage.gaussian_filter(shade, 2.0)


def through_air(albedo: Field, light: Field, haze: float, veil: Field, cloud: Field, shade: Field) -> Field:
    """(4, H, W) apparent reflectance above the air: path light and loss grow with haze, most in blue."""
    path = np.array([0.055, 0.036, 0.022, 0.009], np.float32) * np.float32(0.75 + 1.3 * haze)
    loss = np.array([0.80, 0.86, 0.90, 0.95], np.float32) - np.float32(0.18 * haze)
    white = np.array([0.62, 0.61, 0.60, 0.62], np.float32)
    out = np.empty_like(albedo)
    for band in range(albedo.shape[0]):
        lit = albedo[band] * light * (1 - np.float32(0.62) * shade)
        lit = lit * loss[band] + path[band] * (1 + np.float32(0.22 * haze) * veil)
        out[band] = lit + cloud * (white[band] - lit)
    return out


def blur_and_shift(image: Field, sigma: float, shift: tuple[float, float]) -> Field:
    """Gaussian point spread (pixels) and a shift of the content by (rows, columns), both in the Fourier plane."""
    height, width = image.shape
    fy = scipy.fft.fftfreq(height).astype(np.float32)[:, None]
    fx = scipy.fft.rfftfreq(width).astype(np.float32)[None, :]
    transfer = np.exp(-2 * np.float32(np.pi * sigma) ** 2 * (fy * fy + fx * fx)).astype(np.complex64)
    transfer *= np.exp(np.complex64(-2j * np.pi) * (fy * np.float32(shift[0]) + fx * np.float32(shift[1])))
    return scipy.fft.irfft2(scipy.fft.rfft2(image) * transfer, s=image.shape).astype(np.float32)


def digitise(reflectance: Field, gain: Field, offset: Field, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Digital numbers 1-4095 with detector noise (fixed part 4 DN, shot part growing with the root of the signal)."""
    out = np.empty(reflectance.shape, np.uint16)
    for band in range(reflectance.shape[0]):
        signal = (110 + 5200 * reflectance[band]) * gain[band] + offset[band]
        spread = np.sqrt(16 + 0.10 * np.maximum(signal, 0))
        signal += spread * rng.standard_normal(signal.shape, dtype=np.float32)
        out[band] = np.clip(np.rint(signal), 1, LARGEST_DN)
    return out


def collar(rng: np.random.Generator, side: int) -> NDArray[np.bool_]:
    """Valid pixels of an ortho product: a slightly turned quadrangle inside the (side, side) frame."""
    tilt = rng.uniform(0.004, 0.022) * rng.choice([-1, 1])
    margins = rng.uniform(0.001, 0.012, 4) * side
    line = np.arange(side, dtype=np.float32)
    down, right = line[:, None], line[None, :]
    slant_r = tilt * (right if tilt > 0 else right - side)
    slant_c = -tilt * ((down - side) if tilt > 0 else down)
    bottom = tilt * ((right - side) if tilt > 0 else right)
    edge = -tilt * (down if tilt > 0 else (down - side))
    return (
        (down >= margins[0] + slant_r)
        & (down < side - margins[1] + bottom)
        & (right >= margins[2] + slant_c)
        & (right < side - margins[3] + edge)
    )
