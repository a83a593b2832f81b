"""What clips, enhancements and pinned frames look like over HTTP, and what requests about them hold."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from enhancement.models import Clip, Enhancement, EvidenceFrame


class ClipSerializer(serializers.ModelSerializer[Clip]):
    """A clip with its facts and findings."""

    region = serializers.CharField(source="region.code", read_only=True)
    camera = serializers.CharField(source="camera.code", default=None, allow_null=True, read_only=True)
    mine = serializers.CharField(source="mine.code", default=None, allow_null=True, read_only=True)
    uploader = serializers.CharField(source="uploader.username", default=None, allow_null=True, read_only=True)

    class Meta:
        model = Clip
        fields = (
            "clip_id", "kind", "file_name", "sha256", "bytes", "state", "region", "camera", "mine", "uploader",
            "uploaded_at", "recorded_at", "media_type", "codec", "width", "height", "frames", "seconds", "rate",
            "facts", "findings", "job",
        )  # fmt: skip
        read_only_fields = fields


class EnhancementSerializer(serializers.ModelSerializer[Enhancement]):
    """An enhancement; ``readings`` measure the result, ``progress`` is 0 to 1."""

    state = serializers.ChoiceField(Enhancement.State.choices, read_only=True)
    progress = serializers.FloatField(source="job.progress", default=None, allow_null=True, read_only=True)
    stage = serializers.CharField(source="job.stage", default="", read_only=True)
    started_by = serializers.CharField(source="started_by.username", default=None, allow_null=True, read_only=True)

    class Meta:
        model = Enhancement
        fields = (
            "enhancement_id", "clip", "method", "preset", "params", "state", "stage", "progress", "job",
            "result_sha256", "result_bytes", "media_type", "frames", "seconds", "readings", "findings", "code_version",
            "weights_sha256", "started_by", "created_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields


class EnhancementStartSerializer(serializers.Serializer[Any]):
    """What is wanted: a method, a preset of dehazing and the parameters that differ from it. The night's methods also
    take ``dehaze`` (haze out first) and ``always`` (daylight too), true or false."""

    clip = serializers.UUIDField()
    method = serializers.ChoiceField(Enhancement.Method.choices, default=Enhancement.Method.DEHAZE.value)
    preset = serializers.CharField(max_length=20, default="standard")
    params = serializers.DictField(child=serializers.JSONField(), default=dict)
    remember = serializers.BooleanField(default=False, help_text="Keep the parameters for the clip's camera")


class StillRequestSerializer(serializers.Serializer[Any]):
    """A moment of the clip, a method and trial parameters."""

    method = serializers.ChoiceField(Enhancement.Method.choices, default=Enhancement.Method.DEHAZE.value)
    seconds = serializers.FloatField(min_value=0, default=0.0)
    preset = serializers.CharField(max_length=20, default="standard")
    params = serializers.DictField(child=serializers.JSONField(), default=dict)


class FindingSerializer(serializers.Serializer[Any]):
    """Something remarkable, in both languages."""

    code = serializers.CharField()
    severity = serializers.CharField()
    message_zh = serializers.CharField()
    message_en = serializers.CharField()


class StillSerializer(serializers.Serializer[Any]):
    """A still before and after as data URLs, with readings."""

    before = serializers.CharField()
    after = serializers.CharField()
    readings = serializers.DictField(child=serializers.FloatField())
    findings = FindingSerializer(many=True)
    seconds = serializers.FloatField()
    took_ms = serializers.FloatField()


class EstimateRequestSerializer(serializers.Serializer[Any]):
    """For which method."""

    method = serializers.ChoiceField(Enhancement.Method.choices, default=Enhancement.Method.DEHAZE.value)


class EstimateSerializer(serializers.Serializer[Any]):
    """How long an enhancement takes, without the time in the queue; ``basis`` tells whether earlier jobs or a short
    trial in the web server gave the pace, ``ahead`` how many jobs wait or run in the same queue."""

    seconds = serializers.FloatField()
    ms_per_megapixel = serializers.FloatField()
    basis = serializers.ChoiceField(["jobs", "trial"])
    ahead = serializers.IntegerField()


class EvidenceFrameSerializer(serializers.ModelSerializer[EvidenceFrame]):
    """A pinned frame."""

    mine = serializers.CharField(source="mine.code", read_only=True)
    pinned_by = serializers.CharField(source="pinned_by.username", read_only=True)

    class Meta:
        model = EvidenceFrame
        fields = (
            "frame_id", "clip", "enhancement", "mine", "number", "seconds", "width", "height", "sha256", "bytes",
            "source_sha256", "note", "pinned_by", "pinned_at",
        )  # fmt: skip
        read_only_fields = fields


class FramePinSerializer(serializers.Serializer[Any]):
    """Which frame, for which mine."""

    clip = serializers.UUIDField()
    enhancement = serializers.UUIDField(required=False, allow_null=True, default=None)
    mine = serializers.CharField(max_length=20, help_text="Code of the mine")
    seconds = serializers.FloatField(min_value=0, default=0.0)
    note = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
