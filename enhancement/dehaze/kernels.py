"""Compiled loops of the fast path. Each works on a band of rows, holds no lock and needs a few rows of memory.

Frames are (H, W, 3) in B, G, R order, uint8, uint16 or float32; ``unit`` is 1 / full scale. The loops over a row stand
in functions of their own over whole contiguous rows, flat in their channels, with few arrays, none of them read and
written under two names: only then does the compiler make vector instructions of them. Its results are kept beside this
file (or in ``$NUMBA_CACHE_DIR``), so that only a machine's first call compiles.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BLUE, GREEN, RED = 0, 1, 2  # OpenCV's order
GREY = (0.114, 0.587, 0.299)  # BT.601 luma of B, G, R
SKY_RAMP = 0.03  # mean above the threshold at which a pixel is wholly sky
BLUE_RAMP = 0.02  # a pixel this much bluer than half of it below its mean is wholly sky; a neutral one is half of it
SKY_FLOOR = 0.9  # share of sky_trans that the guided filter may not fall below in the sky

_f = np.float32
_B, _G, _R = _f(GREY[0]), _f(GREY[1]), _f(GREY[2])
_ZERO, _HALF, _ONE, _THIRD = _f(0), _f(0.5), _f(1), _f(1 / 3)
_STEEP, _BLUISH, _FLOOR = _f(1 / SKY_RAMP), _f(1 / BLUE_RAMP), _f(SKY_FLOOR)
_FAR = _f(3e38)  # beyond every pixel: what the dark channel sees outside the image
_FAST = {"nnan", "nsz", "contract", "arcp", "reassoc"}
_loop = njit(fastmath=_FAST, nogil=True, cache=True)


@_loop
def _copy(a, out):  # type: ignore[no-untyped-def]
    for x in range(out.shape[0]):
        out[x] = a[x]


@_loop
def _fill(value, out):  # type: ignore[no-untyped-def]
    for x in range(out.shape[0]):
        out[x] = value


@_loop
def _smaller(a, b, out):  # type: ignore[no-untyped-def]
    for x in range(out.shape[0]):
        out[x] = a[x] if a[x] < b[x] else b[x]


@_loop
def _lower(a, out):  # type: ignore[no-untyped-def]
    for x in range(out.shape[0]):
        out[x] = a[x] if a[x] < out[x] else out[x]


@_loop
def _add(a, factor, out):  # type: ignore[no-untyped-def]
    for x in range(out.shape[0]):
        out[x] += factor * a[x]


@_loop
def _mix(a, b, share, out):  # type: ignore[no-untyped-def]
    for x in range(out.shape[0]):
        out[x] = a[x] + share * (b[x] - a[x])


@_loop
def _row_minimum(line, spare, width, window):  # type: ignore[no-untyped-def]
    """Least of every ``window`` neighbours, by doubling; overwrites both buffers, returns the one with the result."""
    length = 1
    while 2 * length <= window:
        count = width + window - 2 * length
        _smaller(line[:count], line[length : length + count], spare[:count])
        line, spare = spare, line
        length *= 2
    rest = window - length
    _smaller(line[:width], line[rest : rest + width], spare[:width])
    return spare


@_loop
def _split(pixels, blue, green, red):  # type: ignore[no-untyped-def]
    for x in range(blue.shape[0]):
        blue[x] = pixels[3 * x]
        green[x] = pixels[3 * x + 1]
        red[x] = pixels[3 * x + 2]


@_loop
def _join(blue, green, red, pixels):  # type: ignore[no-untyped-def]
    for x in range(blue.shape[0]):
        pixels[3 * x] = blue[x]
        pixels[3 * x + 1] = green[x]
        pixels[3 * x + 2] = red[x]


@_loop
def _least_scaled(blue, green, red, scale_b, scale_g, scale_r, out):  # type: ignore[no-untyped-def]
    for x in range(out.shape[0]):
        out[x] = min(min(blue[x] * scale_b, green[x] * scale_g), red[x] * scale_r)


@_loop
def _grey(blue, green, red, unit, out):  # type: ignore[no-untyped-def]
    for x in range(out.shape[0]):
        out[x] = (_B * blue[x] + _G * green[x] + _R * red[x]) * unit


@_loop
def _sky_row(blue, green, red, unit, thresh, once_more, out):  # type: ignore[no-untyped-def]
    """How much of sky the pixels of a row are, 0..1 (point 7): bright and not less blue than their mean."""
    for x in range(out.shape[0]):
        mean = (blue[x] + green[x] + red[x]) * _THIRD
        bright = min(max((mean * unit - thresh) * _STEEP, _ZERO), _ONE)
        bluish = min(max((blue[x] - mean) * unit * _BLUISH + _HALF, _ZERO), _ONE)
        out[x] = bright * bluish * once_more[x]


@_loop
def _raw_row(tail, head, sky, omega, trans, clip, gain, out):  # type: ignore[no-untyped-def]
    """Unrefined transmission; the dark channel is the lesser of ``tail`` and ``head``."""
    for x in range(out.shape[0]):
        t = _ONE - omega * min(tail[x], head[x])
        out[x] = sky[x] * min(max(t, trans), clip) + (_ONE - sky[x]) * gain * t


@_loop
def _add_product(a, b, out):  # type: ignore[no-untyped-def]
    for x in range(out.shape[0]):
        out[x] += a[x] * b[x]


@_loop
def _fold(line, step, out):  # type: ignore[no-untyped-def]
    """Sums of every ``step`` values of a line; the last cell may have fewer."""
    whole = line.shape[0] // step
    if step == 4:
        for j in range(whole):
            out[j] = (line[4 * j] + line[4 * j + 1]) + (line[4 * j + 2] + line[4 * j + 3])
    else:
        for j in range(whole):
            total = _ZERO
            for k in range(step):
                total += line[j * step + k]
            out[j] = total
    if whole < out.shape[0]:
        out[whole] = line[whole * step :].sum()


@_loop
def statistics(frame, unit, airlight, omega, thresh, trans, clip, gain, window, step, sky, first, last, out):  # type: ignore[no-untyped-def]
    """Sums of grey, p, grey² and grey·p over blocks of step x step pixels; p is the unrefined transmission.

    ``first``, ``last`` are rows of blocks; ``out`` is (4, ceil(H/step), ceil(W/step)) float32. ``sky`` (H, W) weighs
    the sky once more, or has no rows.
    """
    height, width, _ = frame.shape
    rows = frame.reshape(height, 3 * width)
    half = window // 2
    begin, end = first * step, min(last * step, height)
    scale_b, scale_g, scale_r = unit / airlight[0], unit / airlight[1], unit / airlight[2]
    line, spare = np.empty(width + 2 * window, np.float32), np.empty(width + 2 * window, np.float32)
    # Van Herk: minima over a block of `window` rows from its end (suffix) meet those of the next block from its start.
    suffix = np.full((window + 1, width), _FAR, np.float32)
    block = np.full((window, width), _FAR, np.float32)
    head = np.full(width, _FAR, np.float32)
    sums = np.zeros((4, width), np.float32)
    blue, green, red = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    grey, weight, p = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    weights = np.ones(width, np.float32)
    place = 0
    for row in range(begin - half, end + half):
        target = block[place]
        if 0 <= row < height:
            _fill(_FAR, line[:half])
            _fill(_FAR, line[width + half : width + 2 * half])
            _split(rows[row], blue, green, red)
            _least_scaled(blue, green, red, scale_b, scale_g, scale_r, line[half : half + width])
            _copy(_row_minimum(line, spare, width, window), target)
        else:
            _fill(_FAR, target)
        if place == 0:
            _copy(target, head)
        else:
            _lower(target, head)
        y = row - half
        if y >= begin:
            if sky.shape[0] > 0:
                weights = sky[y]
            _split(rows[y], blue, green, red)
            _grey(blue, green, red, unit, grey)
            _sky_row(blue, green, red, unit, thresh, weights, weight)
            _raw_row(suffix[place + 1], head, weight, omega, trans, clip, gain, p)
            _add(grey, _ONE, sums[0])
            _add(p, _ONE, sums[1])
            _add_product(grey, grey, sums[2])
            _add_product(grey, p, sums[3])
            if y % step == step - 1 or y == end - 1:
                for k in range(4):
                    _fold(sums[k], step, out[k, y // step])
                for k in range(4):
                    _fill(_ZERO, sums[k])
        place += 1
        if place == window:
            _copy(block[window - 1], suffix[window - 1])
            for i in range(window - 2, 0, -1):
                _smaller(suffix[i + 1], block[i], suffix[i])
            place = 0


@_loop
def box_sums(field, reach):  # type: ignore[no-untyped-def]
    """Sums over squares of ``reach`` cells to each side, the outermost counted in part; outside is nothing."""
    rows, columns = field.shape
    whole = int(reach)
    part = _f(reach - whole)
    out = np.zeros((rows, columns), np.float32)
    margin = whole + 1
    padded = np.zeros(columns + 2 * margin, np.float32)
    middle = padded[margin : margin + columns]
    for y in range(rows):
        _fill(_ZERO, middle)
        for i in range(max(0, y - whole), min(rows, y + whole + 1)):
            _add(field[i], _ONE, middle)
        if y - margin >= 0:
            _add(field[y - margin], part, middle)
        if y + margin < rows:
            _add(field[y + margin], part, middle)
        for k in range(1, 2 * margin):
            _add(padded[k : k + columns], _ONE, out[y])
        _add(padded[:columns], part, out[y])
        _add(padded[2 * margin :], part, out[y])
    return out


@_loop
def _regress_row(sums0, sums1, sums2, sums3, weight, eps, counts, slope, offset):  # type: ignore[no-untyped-def]
    for x in range(slope.shape[0]):
        share = _ONE / weight[x]
        grey, p = sums0[x] * share, sums1[x] * share
        a = (sums3[x] * share - grey * p) / (max(sums2[x] * share - grey * grey, _ZERO) + eps)
        slope[x] = a * counts[x]
        offset[x] = (p - a * grey) * counts[x]


@_loop
def _divide(a, b, out):  # type: ignore[no-untyped-def]
    for x in range(out.shape[0]):
        out[x] = a[x] / b[x]


@_loop
def regress(sums, reach, weight, eps, counts, slope, offset):  # type: ignore[no-untyped-def]
    """The guided filter's line in every cell: from block sums, averaged over the windows that hold the cell."""
    s0, s1 = box_sums(sums[0], reach), box_sums(sums[1], reach)
    s2, s3 = box_sums(sums[2], reach), box_sums(sums[3], reach)
    for y in range(s0.shape[0]):
        _regress_row(s0[y], s1[y], s2[y], s3[y], weight[y], eps, counts[y], slope[y], offset[y])
    s0, s1 = box_sums(slope, reach), box_sums(offset, reach)
    for y in range(s0.shape[0]):
        _divide(s0[y], weight[y], slope[y])
        _divide(s1[y], weight[y], offset[y])


@_loop
def _stretch(low, step, width, out):  # type: ignore[no-untyped-def]
    """Linear interpolation of a row of cells to pixels; cell centres lie at (j + 0.5) step - 0.5."""
    cells = low.shape[0]
    half = step // 2
    if step == 1:
        _copy(low, out[:width])
        return
    _fill(low[0], out[:half])
    _fill(low[cells - 1], out[(cells - 1) * step + half :])
    between = out[half:]
    if step == 4:
        for j in range(cells - 1):
            a, d = low[j], low[j + 1] - low[j]
            between[4 * j] = a + _f(0.125) * d
            between[4 * j + 1] = a + _f(0.375) * d
            between[4 * j + 2] = a + _f(0.625) * d
            between[4 * j + 3] = a + _f(0.875) * d
    else:
        for k in range(step):
            share = (_f(k) + _HALF) / _f(step)
            for j in range(cells - 1):
                between[step * j + k] = low[j] + share * (low[j + 1] - low[j])


@_loop
def _clearer(slope, offset, grey, sky, floor, t0, out):  # type: ignore[no-untyped-def]
    """1 / t of a row."""
    for x in range(out.shape[0]):
        out[x] = _ONE / max(min(max(slope[x] * grey[x] + offset[x], t0), _ONE), sky[x] * floor)


@_loop
def _apply(colour, clearer, air, shift, full, round_up, out):  # type: ignore[no-untyped-def]
    for x in range(out.shape[0]):
        out[x] = min(max((colour[x] - shift - air) * clearer[x] + air, _ZERO), full) + round_up


@_loop
def recover(frame, unit, airlight, shift, slope, offset, step, thresh, trans, t0, sky, first, last, out):  # type: ignore[no-untyped-def]
    """J = (I - shift - A) / t + A for rows first..last, t = slope · grey + offset, given per cell, within [t0, 1]."""
    height, width, _ = frame.shape
    source, result = frame.reshape(height, 3 * width), out.reshape(height, 3 * width)
    rows, cells = slope.shape
    full = _ONE / unit
    round_up = _HALF if full > 1.5 else _ZERO
    colours, values = np.empty((3, width), np.float32), np.empty((3, width), out.dtype)
    clearer, grey, weight = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    low = np.empty(cells, np.float32)
    line_a, line_b = np.empty(cells * step, np.float32), np.empty(cells * step, np.float32)
    weights = np.ones(width, np.float32)
    for y in range(first, last):
        place = min(max((y + 0.5) / step - 0.5, 0.0), rows - 1.0)
        upper = min(int(place), max(rows - 2, 0))
        lower = min(upper + 1, rows - 1)
        share = _f(place - upper)
        _mix(slope[upper], slope[lower], share, low)
        _stretch(low, step, width, line_a)
        _mix(offset[upper], offset[lower], share, low)
        _stretch(low, step, width, line_b)
        if sky.shape[0] > 0:
            weights = sky[y]
        blue, green, red = colours[0], colours[1], colours[2]
        _split(source[y], blue, green, red)
        _grey(blue, green, red, unit, grey)
        _sky_row(blue, green, red, unit, thresh, weights, weight)
        _clearer(line_a[:width], line_b[:width], grey, weight, _FLOOR * trans, t0, clearer)
        for c in range(3):
            _apply(colours[c], clearer, airlight[c] * full, shift * full, full, round_up, values[c])
        _join(values[0], values[1], values[2], result[y])


@_loop
def dark_channel(frame, window, first, last, out):  # type: ignore[no-untyped-def]
    """Minimum over the channels and a window, in the frame's own type, for rows first..last."""
    height, width, _ = frame.shape
    rows = frame.reshape(height, 3 * width)
    half = window // 2
    line, spare = np.empty(width + 2 * window, frame.dtype), np.empty(width + 2 * window, frame.dtype)
    ring, colours = np.empty((window, width), frame.dtype), np.empty((3, width), frame.dtype)
    done = max(first - half, 0)
    for y in range(first, last):
        while done < min(y + half + 1, height):
            _split(rows[done], colours[0], colours[1], colours[2])
            _lower(colours[0], colours[1])
            _smaller(colours[1], colours[2], line[half : half + width])
            # Outside the image nothing counts: repeating the border's own pixel adds no smaller value.
            _fill(line[half], line[:half])
            _fill(line[width + half - 1], line[width + half : width + 2 * half])
            _copy(_row_minimum(line, spare, width, window), ring[done % window])
            done += 1
        top = max(y - half, 0)
        _copy(ring[top % window], out[y])
        for i in range(top + 1, done):
            _lower(ring[i % window], out[y])


@njit(nogil=True, cache=True)
def histogram(plane, levels):  # type: ignore[no-untyped-def]
    """Counts of the values of an integer plane; four tables in turn, for neighbours are often equal."""
    counts = np.zeros((4, levels), np.int64)
    height, width = plane.shape
    for y in range(height):
        for x in range(width):
            counts[x & 3, plane[y, x]] += 1
    return counts.sum(axis=0)


@_loop
def _luma_sum(pixels, width):  # type: ignore[no-untyped-def]
    total = _ZERO
    for x in range(width):
        total += _B * _f(pixels[3 * x]) + _G * _f(pixels[3 * x + 1]) + _R * _f(pixels[3 * x + 2])
    return total


@_loop
def mean_luma(frame):  # type: ignore[no-untyped-def]
    """Mean grey value, in the frame's numbers."""
    height, width, _ = frame.shape
    rows = frame.reshape(height, 3 * width)
    total = 0.0
    for y in range(height):
        total += _luma_sum(rows[y], width)
    return total / (height * width)


@_loop
def shrink(frame, step, round_up):  # type: ignore[no-untyped-def]
    """Means of whole blocks of step x step pixels in the frame's own type; ``round_up`` is 0.5 for integers, else 0."""
    height, width, _ = frame.shape
    rows, columns = height // step, width // step
    source = frame.reshape(height, 3 * width)
    out = np.empty((rows, columns, 3), frame.dtype)
    sums = np.zeros(3 * columns * step, np.float32)
    share = _ONE / _f(step * step)
    for y in range(rows):
        _fill(_ZERO, sums)
        for i in range(step):
            _add(source[y * step + i], _ONE, sums)
        for x in range(columns):
            for c in range(3):
                total = _ZERO
                for k in range(step):
                    total += sums[(x * step + k) * 3 + c]
                out[y, x, c] = total * share + round_up
    return out


@njit(nogil=True, cache=True)
def pixels_from(frame, plane, least):  # type: ignore[no-untyped-def]
    """The colours (N, 3) of the pixels at which ``plane`` is at least ``least``."""
    height, width = plane.shape
    number = 0
    for y in range(height):
        number += _reaching(plane[y], least)
    out = np.empty((number, 3), frame.dtype)
    number = 0
    for y in range(height):
        if _reaching(plane[y], least) > 0:
            for x in range(width):
                if plane[y, x] >= least:
                    out[number] = frame[y, x]
                    number += 1
    return out


@_loop
def _reaching(line, least):  # type: ignore[no-untyped-def]
    number = np.int32(0)
    for x in range(line.shape[0]):
        number += np.int32(line[x] >= least)
    return number


@_loop
def block_minima(frame, side):  # type: ignore[no-untyped-def]
    """Mean over whole blocks of side x side pixels of each channel's least value in them, in the frame's numbers."""
    height, width, _ = frame.shape
    source = frame.reshape(height, 3 * width)
    across = width // side
    least = np.empty(3 * across * side, frame.dtype)
    total = np.zeros(3, np.float64)
    for row in range(height // side):
        _copy(source[row * side], least)
        for y in range(row * side + 1, (row + 1) * side):
            _lower(source[y], least)
        for block in range(across):
            for c in range(3):
                value = least[3 * block * side + c]
                for x in range(block * side + 1, (block + 1) * side):
                    value = min(value, least[3 * x + c])
                total[c] += value
    return total / ((height // side) * across)
