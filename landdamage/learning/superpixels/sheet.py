"""What one person said about the superpixels of a window, key by key: a log that only grows, four bytes a key.

An entry is a big-endian 32-bit number: bit 31 marks an entry that takes an earlier one back, bits 8-30 hold the
superpixel, bits 0-7 its label from then on (class id, 255 = unsure, 254 = none). The first n entries are version n.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from landdamage.taxonomy import IGNORE, NETWORK_CLASS_COUNT
from minegis.errors import MineGISError

UNSURE: Final = IGNORE
NONE: Final = 254
VALUES: Final = frozenset((*range(NETWORK_CLASS_COUNT), UNSURE, NONE))
ENTRY_BYTES: Final = 4
_BACK: Final = 1 << 31
_MOST: Final = (1 << 23) - 1


@dataclass
class Sheet:
    """The labels after some entries.

    Attributes:
        labels: superpixel -> class id or ``UNSURE``; superpixels without a label are missing.
        past: (superpixel, label before) of every entry that may still be taken back, the newest last.
    """

    labels: dict[int, int] = field(default_factory=dict)
    past: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def read(cls, log: bytes, version: int | None = None) -> Sheet:
        """Replay a log, or its first ``version`` entries.

        Raises:
            ValueError: the log has no such version or is cut off.
        """
        if len(log) % ENTRY_BYTES or (version is not None and not 0 <= version <= len(log) // ENTRY_BYTES):
            raise ValueError("no such version of the log")
        sheet = cls()
        for entry in np.frombuffer(log, ">u4")[:version].tolist():
            sheet._apply(bool(entry & _BACK), (entry >> 8) & _MOST, entry & 0xFF)
        return sheet

    def say(self, superpixel: int, label: int, *, known: int) -> bytes:
        """Label a superpixel; returns the entry to append.

        Args:
            superpixel: its number.
            label: class id, ``UNSURE`` or ``NONE``.
            known: number of superpixels of the window.

        Raises:
            MineGISError: E-LAB-03, no such superpixel or label.
        """
        if label not in VALUES or not 1 <= superpixel <= min(known, _MOST):
            raise MineGISError("E-LAB-03", value=f"{superpixel}: {label}", known=f"1–{known}: 0–7, {UNSURE}, {NONE}")
        self._apply(False, superpixel, label)
        return _entry(superpixel, label)

    def take_back(self) -> tuple[int, bytes] | None:
        """Undo the newest entry that still stands: its superpixel and the entry to append; None if there is none."""
        if not self.past:
            return None
        superpixel, before = self.past[-1]
        self._apply(True, superpixel, before)
        return superpixel, _entry(superpixel, before, back=True)

    def _apply(self, back: bool, superpixel: int, label: int) -> None:
        if back:
            self.past.pop()
        else:
            self.past.append((superpixel, self.labels.get(superpixel, NONE)))
        if label == NONE:
            self.labels.pop(superpixel, None)
        else:
            self.labels[superpixel] = label


def _entry(superpixel: int, label: int, *, back: bool = False) -> bytes:
    return ((_BACK if back else 0) | superpixel << 8 | label).to_bytes(ENTRY_BYTES, "big")


def painted(segments: NDArray[np.int32], labels: Mapping[int, int]) -> NDArray[np.uint8]:
    """Labels (H,W) of the pixels: class ids, ``UNSURE``, and ``NONE`` where nothing was said or the image is empty."""
    table = np.full(int(segments.max(initial=0)) + 1, NONE, np.uint8)
    for superpixel, label in labels.items():
        table[superpixel] = label
    return table[segments]


def agreed(sheets: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """What several people said of the same pixels: 255 wherever nobody, somebody is unsure, or two say different.

    Args:
        sheets: painted labels (H,W) of each, at least one.
    """
    first, *others = sheets
    out = first.copy()
    for labels in others:
        here = labels != NONE
        fresh = here & (out == NONE)
        differ = here & ~fresh & (out != labels)
        out[fresh] = labels[fresh]
        out[differ] = UNSURE
    out[out == NONE] = UNSURE
    return out


def shares(labels: Mapping[int, int], pixels: Mapping[int, int]) -> dict[int, float]:
    """Share of the pixels that each label covers, 0-1.

    Args:
        labels: superpixel -> label.
        pixels: superpixel -> its pixels, all of the window.
    """
    whole = sum(pixels.values())
    found: dict[int, int] = {}
    for superpixel, label in labels.items():
        found[label] = found.get(label, 0) + pixels[superpixel]
    return {label: count / whole for label, count in sorted(found.items())}
