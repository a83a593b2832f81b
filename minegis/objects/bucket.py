"""A place in an S3 bucket: whole objects in, whole objects out.

An object appears under its name only when it is complete, and a listing shows it from then on; every S3 server promises
both. A server that is away is asked again for a while; whatever else it says has a code. There are no presigned
addresses: bytes reach people only through the platform's own doors, which ask for their right first.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from minegis.errors import StorageError
from minegis.objects.work import working

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

PART_BYTES = 16 << 20  # larger files go up in parts; four of them are in memory at a time
CHUNK = 1 << 20
CONNECT_S, READ_S = 5.0, 30.0
PERSON_WAITS_S = 10.0
PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
MOST_REMOVED_AT_ONCE = 1000  # by the protocol
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_AWAY = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling", "ThrottlingException"}
_FULL = {"XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where objects lie and how to get there.

    Attributes:
        bucket: its name.
        prefix: in front of every name, without slashes at its ends; empty for the whole bucket.
        endpoint: address of the server; empty for the maker's own service.
        key, secret, token: credentials, always given here: none are looked for on the network or in a home folder.
        region: part of every signature; most servers take any.
        patience_s: how long long work asks a server that is away again; people wait ``PERSON_WAITS_S`` at most.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    key: str = ""
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    region: str = "us-east-1"
    patience_s: float = 60.0

    @classmethod
    def of(cls, url: str, **rest: Any) -> Place:
        """The place that ``s3://bucket/prefix`` names.

        Raises:
            StorageError: E-STO-07, it is no such address, or the credentials are missing.
        """
        parts = urlsplit(url)
        prefix = parts.path.strip("/")
        wrong = parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc) or parts.query or parts.fragment
        if wrong or (prefix and (not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/")))):
            raise StorageError("E-STO-07", value=f"STORAGE_URL={url}")
        place = cls(parts.netloc, prefix, **rest)
        if place.endpoint and urlsplit(place.endpoint).scheme not in ("http", "https"):
            raise StorageError("E-STO-07", value=f"S3_ENDPOINT_URL={place.endpoint}")
        if not place.key or not place.secret:
            raise StorageError("E-STO-07", value="AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY")
        return place

    @property
    def shown(self) -> str:
        """The place for people: no credentials."""
        return f"{self.endpoint or 's3'} {self.bucket}/{self.prefix}".rstrip("/")


@dataclass(frozen=True, slots=True)
class Held:
    """What the bucket says of an object: its size, and the hash noted when it was put (empty: none)."""

    bytes: int
    sha256: str


class Bucket:
    """Objects of a place; names are relative to its prefix. Safe for threads, and for processes that fork."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._lock = threading.Lock()
        self._made: tuple[int, Any] | None = None  # the process it was made in, the client

    def put(self, name: str, path: Path, sha256: str) -> None:
        """Upload a file; it is there whole or not at all.

        Raises:
            StorageError: E-STO-*.
            OSError: the file cannot be read.
        """
        whole = path.stat().st_size <= PART_BYTES
        about = {"sha256": sha256}

        def upload(client: Any) -> None:
            with path.open("rb") as file:
                if whole:
                    client.put_object(Bucket=self.place.bucket, Key=self._key(name), Body=file, Metadata=about)
                    return
                from boto3.s3.transfer import TransferConfig

                parts = TransferConfig(PART_BYTES, max_concurrency=4, multipart_chunksize=PART_BYTES)
                client.upload_fileobj(
                    file, self.place.bucket, self._key(name), ExtraArgs={"Metadata": about}, Config=parts
                )

        self._ask(name, upload)

    def head(self, name: str) -> Held | None:
        """What is known of an object; None where there is none."""
        try:
            said = self._ask(name, lambda client: client.head_object(Bucket=self.place.bucket, Key=self._key(name)))
        except FileNotFoundError:
            return None
        return Held(said["ContentLength"], said.get("Metadata", {}).get("sha256", ""))

    def get(self, name: str, out: BinaryIO) -> str:
        """Write an object into a file from its present position; a broken transfer goes on where it broke.

        Returns:
            SHA-256 of what was written, in hexadecimal.

        Raises:
            FileNotFoundError: there is no such object.
            StorageError: E-STO-04 its bytes are not those that were put; E-STO-* otherwise.
        """
        digest, done = hashlib.sha256(), 0
        noted: Held | None = None

        def download(client: Any) -> None:
            nonlocal done, noted
            rest = {"Range": f"bytes={done}-"} if done else {}
            if noted is not None and done == noted.bytes:
                return
            said = client.get_object(Bucket=self.place.bucket, Key=self._key(name), **rest)
            if noted is None:
                noted = Held(said["ContentLength"], said.get("Metadata", {}).get("sha256", ""))
            with said["Body"] as body:
                while chunk := body.read(CHUNK):
                    out.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)

        self._ask(name, download, progress=lambda: done)
        found = digest.hexdigest()
        if noted is not None and (done != noted.bytes or noted.sha256 not in ("", found)):
            raise StorageError("E-STO-04", value=name)
        return found

    def names(self, folder: str) -> list[str]:
        """Names of the objects in a folder, without the folder's own; objects of folders below count too."""
        start = self._key(f"{folder}/")

        def look(client: Any) -> list[str]:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.place.bucket, Prefix=start)
            return [item["Key"][len(start) :] for page in pages for item in page.get("Contents", ())]

        return self._ask(folder, look)

    def folders(self, folder: str) -> list[str]:
        """Names of the folders right below one."""
        start = self._key(f"{folder}/")

        def look(client: Any) -> list[str]:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self.place.bucket, Prefix=start, Delimiter="/"
            )
            return [item["Prefix"][len(start) : -1] for page in pages for item in page.get("CommonPrefixes", ())]

        return self._ask(folder, look)

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects; those that are not there are no error."""
        keys = [{"Key": self._key(name)} for name in names]
        for first in range(0, len(keys), MOST_REMOVED_AT_ONCE):
            self._remove({"Objects": keys[first : first + MOST_REMOVED_AT_ONCE], "Quiet": True})

    def _remove(self, some: dict[str, Any]) -> None:
        said = self._ask("-", lambda client: client.delete_objects(Bucket=self.place.bucket, Delete=some))
        if said.get("Errors"):
            raise StorageError("E-STO-06", value=said["Errors"][0].get("Code", "?"))

    def check(self) -> None:
        """List, write, read and remove, as the platform will.

        Raises:
            StorageError: E-STO-*.
        """
        name = f".check-{uuid4().hex}"
        self._ask(
            "-",
            lambda client: client.list_objects_v2(Bucket=self.place.bucket, Prefix=self._key(""), MaxKeys=1),
        )
        self._ask(name, lambda client: client.put_object(Bucket=self.place.bucket, Key=self._key(name), Body=b"1"))
        try:
            if self.head(name) != Held(1, ""):
                raise StorageError("E-STO-04", value=name)
        finally:
            self.remove([name])

    def _key(self, name: str) -> str:
        return f"{self.place.prefix}/{name}" if self.place.prefix else name

    def _client(self) -> Any:
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                self._made = (os.getpid(), _connect(self.place))
            return self._made[1]

    def _ask(self, name: str, do: Callable[[Any], Answer], progress: Callable[[], int] = lambda: 0) -> Answer:
        """Do something, again and again while the server is away; what moves ``progress`` on begins its time anew."""
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        patience = self.place.patience_s if working() else min(self.place.patience_s, PERSON_WAITS_S)
        away_since, reached, pause = 0.0, -1, PAUSE_S
        while True:
            began = time.monotonic()
            try:
                return do(self._client())
            except (BotoCoreError, ClientError, HTTPError) as error:
                self._refused(error, name)
                if not away_since or progress() > reached:
                    away_since, reached, pause = began, progress(), PAUSE_S
                    log.warning("the storage %s is away: %s", self.place.shown, error)
                if time.monotonic() + pause - away_since > patience:
                    raise StorageError("E-STO-01", value=self.place.shown, seconds=round(patience)) from error
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _refused(self, error: Exception, name: str) -> None:
        """Raise what the server's answer means; nothing where it is away and may come back.

        Raises:
            FileNotFoundError: no such object.
            StorageError: E-STO-02, E-STO-03, E-STO-05, E-STO-06.
        """
        from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
        from botocore.exceptions import ConnectionError as NoConnectionError
        from urllib3.exceptions import HTTPError

        if isinstance(error, HTTPClientError | NoConnectionError | IncompleteReadError | HTTPError):
            return
        if not isinstance(error, ClientError):  # such as an address that cannot be one
            raise StorageError("E-STO-06", value=f"{type(error).__name__}: {error}") from error
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _FULL or status == 507:
            raise StorageError("E-STO-05", value=self.place.shown) from error
        if code == "NoSuchBucket":
            raise StorageError("E-STO-03", value=self.place.shown) from error
        if status == 404:
            raise FileNotFoundError(f"{self.place.shown}/{name}") from error
        if status in (401, 403):
            raise StorageError("E-STO-02", value=self.place.shown, reason=code) from error
        if status < 500 and status != 429 and code not in _AWAY:
            raise StorageError("E-STO-06", value=code or str(status)) from error


@lru_cache(maxsize=1)
def _session(process: int) -> Any:
    import boto3

    return boto3.session.Session()  # it reads the description of the protocol once, which takes half a second


def _connect(place: Place) -> Any:
    from botocore.config import Config

    config = Config(
        signature_version="s3v4",
        region_name=place.region,
        # Servers of an intranet rarely have a host name per bucket.
        s3={"addressing_style": "path" if place.endpoint else "auto"},
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        retries={"total_max_attempts": 1},  # ``_ask`` knows how long to go on
        # Trailing checksums are newer than many servers; what is read is compared with its SHA-256 anyway.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return _session(os.getpid()).client(
        "s3",
        endpoint_url=place.endpoint or None,
        aws_access_key_id=place.key,
        aws_secret_access_key=place.secret,
        aws_session_token=place.token or None,
        config=config,
    )


def chunks(source: BinaryIO) -> Iterator[bytes]:
    """The rest of a stream, a megabyte at a time."""
    while chunk := source.read(CHUNK):
        yield chunk
