"""A camera's stream, dehazed as it comes: RTSP or RTMP in, HLS out into a folder; reconnects, and says how late it is.

One thread reads and decodes, the caller's thread enhances and encodes. Between them lies the latest frame alone: where
enhancing is slower than the camera, frames are left out and the picture stays fresh.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError
from av.video.frame import PictureType

from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.pixels import Frame
from enhancement.video.atmosphere import Air, Course, Measure, Meter
from enhancement.video.colour import to_yuv420
from enhancement.video.encode import picture_of
from enhancement.video.steady import SteadyDehazer
from minegis.addresses import check_stream_address
from minegis.errors import MineGISError

SEGMENT_S = 1.0  # of the playlist's files: players wait for about three of them
WINDOW = 8  # files in the playlist
CLOCK = Fraction(1, 90_000)  # what timestamps count in
OPEN_S, READ_S = 5.0, 5.0  # seconds without an answer after which a connection is given up
WAITS = (0.5, 1.0, 2.0, 5.0, 10.0)  # seconds before the next attempt; the last one again and again
PLAYLIST, STATUS = "index.m3u8", "status.json"
PROTOCOLS = "rtsp,rtsps,rtp,udp,tcp,tls,rtmp,rtmps,crypto"  # never a file
_ENCODER = {"preset": "veryfast", "tune": "zerolatency", "crf": "23", "bf": "0"}
_BT709, _BT601 = 1, 5


@dataclass(slots=True)
class Status:
    """How the relay does. Times are seconds; ``behind`` is how long the newest picture in the playlist took from its
    arrival here until players could ask for it, ``last_at`` when it arrived (seconds of the epoch)."""

    connected: bool = False
    connections: int = 0
    frames: int = 0
    left_out: int = 0
    width: int = 0
    height: int = 0
    per_frame: float = 0.0
    behind: float = 0.0
    last_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Arrived:
    frame: Any
    at: float  # seconds of the epoch


Treat = Callable[[Frame, Air, Measure], Frame]  # of bytes (H, W, 3), B, G, R


class _Reader(threading.Thread):
    """Keeps the newest frame of a stream; connects again whenever the stream ends or falls silent."""

    def __init__(self, address: str, status: Status, networks: Sequence[str]) -> None:
        super().__init__(name="live-reader", daemon=True)
        self._address, self._status, self._networks = address, status, networks
        self._over = threading.Event()
        self._news = threading.Condition()
        self._newest: _Arrived | None = None

    def newest(self, wait: float) -> _Arrived | None:
        """The newest frame nobody has taken yet; None if there is none within ``wait`` seconds."""
        with self._news:
            if self._newest is None:
                self._news.wait(wait)
            found, self._newest = self._newest, None
            return found

    def stop(self) -> None:
        """End within the time of one read."""
        self._over.set()

    def run(self) -> None:
        """Connect, read, and again."""
        failures = 0
        while not self._over.is_set():
            before = self._status.connections
            # A camera that is away or restarts is what connecting again is for.
            with contextlib.suppress(FFmpegError, OSError, ValueError, MineGISError):
                self._read()
            self._status.connected = False
            failures = 0 if self._status.connections > before else failures + 1
            self._over.wait(WAITS[min(failures, len(WAITS) - 1)])

    def _read(self) -> None:
        options = {
            "rtsp_transport": "tcp", "fflags": "nobuffer", "flags": "low_delay", "protocol_whitelist": PROTOCOLS,
            "analyzeduration": "1000000", "probesize": "500000",
        }  # fmt: skip
        check_stream_address(self._address, self._networks, resolve=True)  # a name may mean another host by now
        with av.open(self._address, options=options, timeout=(OPEN_S, READ_S)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_type = "NONE"  # frame threads would hold frames back
            for frame in container.decode(stream):
                if self._over.is_set():
                    return
                if not self._status.connected:
                    self._status.connected = True
                    self._status.connections += 1
                with self._news:
                    self._status.left_out += self._newest is not None
                    self._newest = _Arrived(frame, time.time())
                    self._news.notify()


class _Hls:
    """Writes pictures as H.264 into a playlist of short files, old ones deleted."""

    def __init__(self, folder: Path, width: int, height: int) -> None:
        self.width, self.height = width - width % 2, height - height % 2
        self._playlist = folder / PLAYLIST
        options = {
            "hls_time": str(SEGMENT_S), "hls_list_size": str(WINDOW), "hls_segment_type": "mpegts",
            "hls_flags": "delete_segments+temp_file+program_date_time+omit_endlist",
            "hls_segment_filename": str(folder / "%06d.ts"), "hls_delete_threshold": "4",
        }  # fmt: skip
        self._out = av.open(str(self._playlist), "w", format="hls", options=options)
        self._stream = self._out.add_stream("libx264", rate=25, options=dict(_ENCODER))
        self._stream.width, self._stream.height, self._stream.pix_fmt = self.width, self.height, "yuv420p"
        self._stream.codec_context.time_base = CLOCK
        self._stream.codec_context.gop_size = 10_000  # key frames come by the clock, below
        self._matrix = _BT709 if height >= 720 else _BT601
        self._key_at = self._last = -1

    def write(self, picture: Any, pts: int) -> None:
        """Add a picture (H, W, 3), B, G, R, bytes, shown from ``pts`` on."""
        pts = max(pts, self._last + 1)
        self._last = pts
        frame = to_yuv420(picture[: self.height, : self.width], self._matrix)
        frame.pts, frame.time_base = pts, CLOCK
        if self._key_at < 0 or (pts - self._key_at) * CLOCK >= SEGMENT_S:
            frame.pict_type, self._key_at = PictureType.I, pts
        self._out.mux(self._stream.encode(frame))

    def listed(self) -> int:
        """A number that changes whenever the playlist does."""
        try:
            return self._playlist.stat().st_mtime_ns
        except OSError:
            return 0

    def close(self) -> None:
        """Write what is left."""
        self._out.mux(self._stream.encode(None))
        self._out.close()


def relay(
    address: str, folder: Path, dehazer: Dehazer, *, should_stop: Callable[[], bool],
    tell: Callable[[Status], None] = lambda status: None, treat: Treat | None = None, longest: int | None = None,
    networks: Sequence[str] = (),
) -> Status:  # fmt: skip
    """Enhance a stream until ``should_stop`` says so; ``folder`` holds ``index.m3u8``, its files and ``status.json``.

    ``tell`` hears how it does about once a second, also while the camera is away. A size that changes after a new
    connection is scaled to the first one, which is shrunk so that no side is longer than ``longest`` pixels. ``treat``
    does what is wanted with each frame, its air and its measure; by default haze is taken out. ``networks`` are those
    in which the camera may be; none means any.

    Raises:
        MineGISError: E-REG-03, the address is not one of a stream; E-REG-06, it is outside the networks.
    """
    check_stream_address(address, networks)
    folder.mkdir(parents=True, exist_ok=True)
    status = Status()
    reader = _Reader(address, status, networks)
    reader.start()
    meter, course, steady = Meter(dehazer.settings), Course(dehazer.settings), SteadyDehazer(dehazer)
    treat = treat or (lambda frame, air, measure: steady(frame, air))
    out: _Hls | None = None
    held: tuple[_Arrived, Any, Measure] | None = None  # one frame is held back: a flash shows only by its successor
    began = told = 0.0
    listed = 0
    try:
        while not should_stop():
            arrived = reader.newest(0.2)
            if time.time() - told >= 1:
                told = time.time()
                _write_status(folder, status)
                tell(status)
            if arrived is None:
                continue
            started = time.perf_counter()
            if out is None:
                out = _Hls(folder, *_fitted(arrived.frame.width, arrived.frame.height, longest))
                status.width, status.height, began = out.width, out.height, arrived.at
            frame = arrived.frame
            if (frame.width, frame.height) != (status.width, status.height):
                frame = frame.reformat(status.width, status.height)
            measure = meter(frame, arrived.at, status.frames)
            status.frames += 1
            if held is not None:
                before, picture, known = held
                done = treat(picture, course.step(known, measure), known)
                out.write(done, round((before.at - began) / CLOCK))
                if (now := out.listed()) != listed:
                    listed = now
                    status.behind, status.last_at = time.time() - before.at, before.at
            held = (arrived, picture_of(frame), measure)
            status.per_frame += 0.1 * (time.perf_counter() - started - status.per_frame)
    finally:
        reader.stop()
        if out is not None:
            out.close()
        reader.join(OPEN_S + READ_S)
    return status


def _fitted(width: int, height: int, longest: int | None) -> tuple[int, int]:
    shrink = 1.0 if longest is None else max(1.0, max(width, height) / longest)
    return max(2, round(width / shrink)), max(2, round(height / shrink))


def _write_status(folder: Path, status: Status) -> None:
    partial = folder / f".{STATUS}.partial"
    partial.write_text(json.dumps(asdict(status)))
    partial.replace(folder / STATUS)
