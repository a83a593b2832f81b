"""A vector file sent over HTTP with the answers to what an earlier report asked."""

from __future__ import annotations

from rest_framework import serializers

from landdamage.interchange.read import SKIP, Choices


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
