"""A vector file sent over HTTP with the answers to what an earlier report asked."""

from __future__ import annotations

from pathlib import Path

from django.core.files.uploadedfile import UploadedFile
from rest_framework import serializers

from landdamage.interchange.read import SKIP, Choices
from minegis.errors import MineGISError

MAX_UPLOAD = 512 << 20  # a prefecture's patches are some 100 MB


class VectorFileSerializer(serializers.Serializer[None]):
    """The file, whose region it is about, and the answers; ``MEANINGS`` are the values a mapping may have."""

    MEANINGS: frozenset[str] = frozenset()

    file = serializers.FileField()
    region = serializers.CharField(max_length=9)
    layer = serializers.CharField(required=False, allow_blank=True, default="")
    crs = serializers.CharField(required=False, allow_blank=True, default="")
    encoding = serializers.ChoiceField(["", "utf-8", "gbk"], required=False, default="")
    column = serializers.CharField(required=False, allow_blank=True, default="")
    mapping = serializers.JSONField(required=False, default=dict)
    repair = serializers.BooleanField(required=False, default=False)
    commit = serializers.BooleanField(required=False, default=False)

    def validate_mapping(self, value: object) -> dict[str, str]:
        """An object from what the file writes to what it means."""
        known = {SKIP, *self.MEANINGS}
        if not isinstance(value, dict) or not set(value.values()) <= known:
            raise serializers.ValidationError(f"an object with values of: {', '.join(sorted(known))}")
        return {str(key): str(meaning) for key, meaning in value.items()}

    def choices(self) -> Choices:
        """The answers, as the readers want them."""
        answers = ("layer", "crs", "encoding", "column", "mapping", "repair", "clip")
        return Choices(**{name: self.validated_data[name] for name in answers if name in self.validated_data})


def refuse_large(*files: UploadedFile | None) -> None:
    """Raise E-VEC-16 for files that are larger together than a region's vectors can be."""
    size = sum(file.size or 0 for file in files if file)
    if size > MAX_UPLOAD:
        raise MineGISError("E-VEC-16", value=f"{size >> 20} MB", limit=f"{MAX_UPLOAD >> 20} MB")


def written(file: UploadedFile, path: Path) -> Path:
    """Put an uploaded file where the readers can open it."""
    with path.open("wb") as out:
        out.writelines(file.chunks())
    return path
