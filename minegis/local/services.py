"""PostgreSQL and Redis of one place: those named in the environment win, the others are started privately."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from minegis.local.place import Place
from minegis.local.postgres import Postgres
from minegis.local.redis_server import Redis


@dataclass(frozen=True)
class Services:
    """What a place runs itself; None where ``DATABASE_URL`` or ``REDIS_URL`` names a server of the caller's."""

    place: Place
    postgres: Postgres | None
    redis: Redis | None

    @classmethod
    def of(cls, place: Place, *, durable: bool = True) -> Services:
        """The services a place needs under the present environment."""
        return cls(
            place,
            None if os.environ.get("DATABASE_URL") else Postgres(place, durable),
            None if os.environ.get("REDIS_URL") else Redis(place),
        )

    def start(self) -> list[Postgres | Redis]:
        """Start what does not run yet; returns what this call started. A failure leaves nothing of it behind."""
        started: list[Postgres | Redis] = []
        with self.place.lock():
            try:
                for service in (self.postgres, self.redis):
                    if service and not service.running():
                        started.append(service)
                        service.start()
            except BaseException:
                for service in started:
                    service.stop()
                raise
        return started

    def stop(self) -> None:
        """End exactly the servers this place started, also those of an earlier call with another environment."""
        Redis(self.place).stop()
        Postgres(self.place).stop()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run a block with the services up, and leave behind only what ran before."""
        started = self.start()
        try:
            yield
        finally:
            for service in reversed(started):
                service.stop()

    def urls(self) -> dict[str, str]:
        """DATABASE_URL and REDIS_URL for our processes."""
        return {
            "DATABASE_URL": self.postgres.url if self.postgres else os.environ["DATABASE_URL"],
            "REDIS_URL": self.redis.url if self.redis else os.environ["REDIS_URL"],
        }
