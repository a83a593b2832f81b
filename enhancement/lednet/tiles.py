"""How large pictures are read in tiles, and what that costs; free of torch, for whoever only reckons."""

from __future__ import annotations

from minegis.windows import window_starts

MULTIPLE = 8  # sides the network takes are divisible by it: three halvings
LEAST = 2 * MULTIPLE  # a side below it is continued by its last pixel, a reflection would be longer than it
LARGEST_WHOLE = 768  # pixels of a side; beyond, pictures are read in tiles
TILES, OVERLAP = (512, 640), 64  # least and largest side of a tile
GUIDE = 512  # pixels of the longer side of the copy that sets the brightness of pictures read in tiles


def tile_side(height: int, width: int, tiles: tuple[int, int] = TILES, overlap: int = OVERLAP) -> int:
    """The side of tiles, a multiple of 8 in a range, that covers a picture with the fewest pixels to compute."""

    def pixels(side: int) -> int:
        return side * side * len(window_starts(height, side, overlap)) * len(window_starts(width, side, overlap))

    return min(range(tiles[0], tiles[1] + 1, MULTIPLE), key=pixels)


def computed_pixels(height: int, width: int) -> int:
    """Pixels the network reads for a picture of this size: padding, the tiles' overlap, the copy that guides them."""
    if max(height, width) <= LARGEST_WHOLE:
        rows, columns = (max(LEAST, -(-length // MULTIPLE) * MULTIPLE) for length in (height, width))
        return rows * columns
    side = tile_side(height, width)
    tiles = len(window_starts(height, side, OVERLAP)) * len(window_starts(width, side, OVERLAP))
    return tiles * side * side + round(height * width * (GUIDE / max(height, width)) ** 2)
