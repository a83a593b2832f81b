"""Segments of a clip done side by side by threads of this process; codecs and kernels work without the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from enhancement.video.source import Segment
from minegis.errors import JobCancelledError


def in_threads(
    segments: Sequence[Segment], workers: int, work: Callable[[Segment, Callable[[], None]], None],
    should_stop: Callable[[], bool], report: Callable[[int], None],
) -> None:  # fmt: skip
    """Work on all segments; the first failure, or a wish to stop, ends all of them at their next frame."""
    counts = [0] * len(segments)
    ended = False

    def one(position: int) -> None:
        def tick() -> None:
            counts[position] += 1
            if ended:
                raise JobCancelledError

        work(segments[position], tick)

    with ThreadPoolExecutor(max(1, workers)) as pool:
        waiting = {pool.submit(one, position) for position in range(len(segments))}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
                report(sum(counts))
                if should_stop():
                    raise JobCancelledError
        except BaseException:
            ended = True
            for future in waiting:
                future.cancel()
            raise
