"""Evidence of restorations and subsidence: files kept once and for ever, named by their content."""

from __future__ import annotations

import io
import zipfile
from typing import BinaryIO, Final

from django.db import transaction

from landdamage.models import Evidence
from landdamage.services.files import files
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import MineGISError, UploadError
from minegis.registry.models import Region

MOST_BYTES: Final = 30 * 2**20
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SIGNATURES: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)


def media_type(content: bytes) -> str:
    """The media type of an allowed file, told from its content, never from its name.

    Raises:
        UploadError: E-EDI-14, anything but PDF, JPEG, PNG and Word documents without macros.
    """
    for signature, name in SIGNATURES:
        if content.startswith(signature):
            return name
    if content.startswith(b"PK\x03\x04"):
        try:
            parts = set(zipfile.ZipFile(io.BytesIO(content)).namelist())
        except zipfile.BadZipFile:
            parts = set()
        if {"[Content_Types].xml", "word/document.xml"} <= parts and not any("vbaProject" in part for part in parts):
            return DOCX
    raise UploadError("E-EDI-14", value=content[:4].hex() or "empty")


@transaction.atomic
def evidence_add(*, region: Region, file: BinaryIO, file_name: str, user: User, note: str = "") -> Evidence:
    """Keep a file as evidence; the same content in the same region is the same evidence.

    Args:
        region: where it belongs.
        file: the content, at most 30 MiB.
        file_name: as people know it; only its last part is kept.
        user: who brings it.
        note: what it shows.

    Raises:
        ForbiddenError: the user may not add evidence in the region.
        UploadError: E-UPL-02 empty, E-EDI-14 no allowed kind of file, E-EDI-15 too large.
    """
    require(user, Action.ADD_EVIDENCE, region)
    content = file.read(MOST_BYTES + 1)
    if not content:
        raise UploadError("E-UPL-02")
    if len(content) > MOST_BYTES:
        raise UploadError("E-EDI-15", limit=f"{MOST_BYTES // 2**20} MiB")
    kind = media_type(content)
    stored = files().put(io.BytesIO(content))
    name = file_name.replace("\\", "/").rpartition("/")[2][:255]
    evidence, _made = Evidence.objects.get_or_create(
        region=region,
        sha256=stored.sha256,
        defaults={
            "file_name": name or stored.sha256[:12],
            "media_type": kind,
            "bytes": stored.bytes,
            "note": note[:200],
            "uploaded_by": user,
        },
    )
    return evidence


def evidence_open(evidence: Evidence) -> BinaryIO:
    """The stored file.

    Raises:
        MineGISError: E-API-04, the file is not in the storage.
    """
    path = files().fetch(evidence.sha256)
    if not path.is_file():
        raise MineGISError("E-API-04")
    return path.open("rb")
