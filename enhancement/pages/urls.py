"""Pages of the enhancement."""

from django.urls import path

from enhancement.pages import cameras, clip, clips

urlpatterns = [
    path("video/", clips.listing, name="clips"),
    path("video/queue/", clips.queue, name="enhancements"),
    path("video/frames/", clips.frames, name="evidence-frames"),
    path("video/clips/<uuid:clip_id>/", clip.clip, name="clip"),
    path("video/clips/<uuid:clip_id>/progress/", clip.progress, name="clip-progress"),
    path("video/clips/<uuid:clip_id>/start/", clip.start, name="clip-start"),
    path("video/clips/<uuid:clip_id>/pin/", clip.pin, name="clip-pin"),
    path("video/clips/<uuid:clip_id>/delete/", clip.delete, name="clip-delete"),
    path("video/cameras/", cameras.listing, name="cameras"),
    path("video/cameras/new/", cameras.save, name="camera-new"),
    path("video/cameras/<uuid:camera_id>/", cameras.camera, name="camera"),
    path("video/cameras/<uuid:camera_id>/save/", cameras.save, name="camera-save"),
]
