"""The one permission table: which role may do what, in the whole region of the role or to own objects only.

*Seeing* an object is ``Model.objects.visible_to(user)`` (a foreign one is "not found"); *doing* something with it is
``require(user, action, region, own=...)`` (refused with E-API-03). Both read the same table.
"""

from __future__ import annotations

import logging
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from minegis.access.querysets import region_prefix
from minegis.access.roles import Role
from minegis.errors import ForbiddenError

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from minegis.access.models import User
    from minegis.registry.models import Region

log = logging.getLogger(__name__)


class Action(StrEnum):
    """What can be done; templates know ``run.start`` as ``can.start_run``."""

    UPLOAD_SCENE = "scene.upload"
    READ_SCENE = "scene.read"  # metadata and findings
    READ_THUMBNAIL = "thumbnail.read"
    READ_IMAGE = "image.read"  # tiles at full resolution
    DOWNLOAD_SCENE = "scene.download"  # the original file
    REJECT_SCENE = "scene.reject"
    DELETE_SCENE = "scene.delete"
    START_RUN = "run.start"
    CANCEL_RUN = "run.cancel"
    READ_STATISTICS = "statistics.read"
    EXPORT_VECTORS = "vectors.export"
    READ_MINES = "mines.read"
    READ_LICENCE = "licence.read"
    CREATE_MINES = "mines.create"
    EDIT_MINES = "mines.edit"
    READ_JOBS = "jobs.read"
    READ_OUTSIDE_LICENCE = "outside_licence.read"
    BUILD_EDITION = "edition.build"  # draft, compute, freeze, report
    PUBLISH_EDITION = "edition.publish"  # publish, supersede, withdraw, sign a bias
    READ_PUBLISHED = "published.read"  # figures and maps of published editions
    EXPORT_PUBLISHED = "published.export"  # vectors of published editions
    DECIDE_FLOW = "flow.decide"
    DRAW_SUBSIDENCE = "subsidence.draw"
    ACCEPT_SUBSIDENCE = "subsidence.accept"
    ADD_EVIDENCE = "evidence.add"
    EDIT_OBSERVATION = "observation.edit"
    EDIT_REGISTRATION = "registration.edit"  # how well a scene lies where it should
    EDIT_HYDROGRAPHY = "hydrography.edit"
    OVERRIDE_TERRITORY = "territory.override"  # whose ground a place is, against the general rule
    LABEL_SAMPLE = "sample.label"
    PLAN_SAMPLE = "sample.plan"
    READ_SAMPLE_SET = "sample_set.read"
    BUILD_SAMPLE_SET = "sample_set.build"
    READ_MODEL = "model.read"
    TRAIN_MODEL = "model.train"
    COMPARE_MODEL = "model.compare"
    ADD_MODEL = "model.add"  # a checkpoint made elsewhere
    PROMOTE_MODEL = "model.promote"  # and retire; for every region at once
    UPLOAD_CLIP = "clip.upload"
    READ_CLIP = "clip.read"  # what is known of it
    WATCH_CLIP = "clip.watch"  # its pictures, and those of its results
    DOWNLOAD_CLIP = "clip.download"
    DELETE_CLIP = "clip.delete"
    START_ENHANCEMENT = "enhancement.start"
    PIN_FRAME = "frame.pin"
    READ_CAMERA = "camera.read"
    EDIT_CAMERA = "camera.edit"
    MANAGE_USERS = "users.manage"


class Scope(Enum):
    """How far a right reaches."""

    REGION = "region"
    OWN = "own"


_R, _O = Scope.REGION, Scope.OWN
_U, _I, _V, _A, _M, _S, _W = (
    Role.UPLOADER, Role.INTERPRETER, Role.REVIEWER, Role.ANALYST, Role.MANAGER, Role.ADMIN, Role.VIEWER,
)  # fmt: skip

TABLE: Final = MappingProxyType(
    {
        Action.UPLOAD_SCENE: {_U: _R, _I: _R, _V: _R},
        Action.READ_SCENE: {_U: _O, _I: _R, _V: _R, _A: _R, _M: _R, _S: _R, _W: _R},
        Action.READ_THUMBNAIL: {_U: _O, _I: _R, _V: _R, _A: _R, _M: _R, _W: _R},
        Action.READ_IMAGE: {_U: _O, _I: _R, _V: _R, _A: _R, _M: _R},
        Action.DOWNLOAD_SCENE: {_U: _O, _I: _R, _V: _R, _M: _R},
        Action.REJECT_SCENE: {_I: _R, _V: _R, _M: _R},
        Action.DELETE_SCENE: {_U: _O, _M: _R, _S: _R},
        Action.START_RUN: {_I: _R, _V: _R},
        Action.CANCEL_RUN: {_I: _R, _V: _R, _S: _R},
        Action.READ_STATISTICS: {_I: _R, _V: _R, _A: _R, _M: _R},
        Action.EXPORT_VECTORS: {_I: _R, _V: _R, _M: _R},
        Action.READ_MINES: {_I: _R, _V: _R, _A: _R, _M: _R, _S: _R, _W: _R},
        Action.READ_LICENCE: {_I: _R, _V: _R, _A: _R, _M: _R, _S: _R},
        Action.CREATE_MINES: {_M: _R},
        Action.EDIT_MINES: {_V: _R, _M: _R},
        Action.READ_JOBS: {_I: _R, _V: _R, _M: _R, _S: _R},
        Action.READ_OUTSIDE_LICENCE: {_V: _R, _M: _R},
        Action.BUILD_EDITION: {_A: _R},
        Action.PUBLISH_EDITION: {_M: _R},
        Action.READ_PUBLISHED: {_I: _R, _V: _R, _A: _R, _M: _R, _W: _R},
        Action.EXPORT_PUBLISHED: {_I: _R, _V: _R, _A: _R, _M: _R},
        Action.DECIDE_FLOW: {_V: _R},
        Action.DRAW_SUBSIDENCE: {_U: _O, _I: _R, _V: _R},
        Action.ACCEPT_SUBSIDENCE: {_V: _R},
        Action.ADD_EVIDENCE: {_U: _R, _I: _R, _V: _R},
        Action.EDIT_OBSERVATION: {_I: _R, _V: _R},
        Action.EDIT_REGISTRATION: {_V: _R},
        Action.EDIT_HYDROGRAPHY: {_V: _R, _M: _R},
        Action.OVERRIDE_TERRITORY: {_V: _R, _M: _R},
        Action.LABEL_SAMPLE: {_I: _R, _V: _R},
        Action.PLAN_SAMPLE: {_V: _R, _A: _R},
        Action.READ_SAMPLE_SET: {_I: _R, _V: _R, _A: _R, _M: _R, _S: _R},
        Action.BUILD_SAMPLE_SET: {_I: _R, _V: _R},
        Action.READ_MODEL: {_I: _R, _V: _R, _A: _R, _M: _R, _S: _R},
        Action.TRAIN_MODEL: {_I: _R, _V: _R},
        Action.COMPARE_MODEL: {_I: _R, _V: _R, _M: _R},
        Action.ADD_MODEL: {_M: _R, _S: _R},
        Action.PROMOTE_MODEL: {_M: _R},
        Action.UPLOAD_CLIP: {_U: _R, _I: _R, _V: _R},
        Action.READ_CLIP: {_U: _O, _I: _R, _V: _R, _A: _R, _M: _R, _S: _R},
        Action.WATCH_CLIP: {_U: _O, _I: _R, _V: _R, _A: _R, _M: _R},
        Action.DOWNLOAD_CLIP: {_U: _O, _I: _R, _V: _R, _M: _R},
        Action.DELETE_CLIP: {_U: _O, _M: _R, _S: _R},
        Action.START_ENHANCEMENT: {_U: _O, _I: _R, _V: _R},
        Action.PIN_FRAME: {_U: _O, _I: _R, _V: _R},
        Action.READ_CAMERA: {_U: _R, _I: _R, _V: _R, _A: _R, _M: _R, _S: _R, _W: _R},
        Action.EDIT_CAMERA: {_V: _R, _M: _R},
        Action.MANAGE_USERS: {_S: _R},
    }
)


def readers(action: Action) -> frozenset[str]:
    """Roles whose right to an action covers the whole region: what a queryset's ``reader_roles`` wants."""
    return frozenset(role.value for role, scope in TABLE[action].items() if scope is Scope.REGION)


class _Anywhere(Enum):
    TOKEN = 0


ANYWHERE: Final = _Anywhere.TOKEN


def allowed(
    user: User | AnonymousUser,
    action: Action | str,
    region: Region | str | _Anywhere | None = ANYWHERE,
    *,
    own: bool = False,
) -> bool:
    """Whether a user may do something.

    Args:
        user: whoever asks; inactive and anonymous users may do nothing, a superuser everything.
        action: a row of the table.
        region: where the object lies (a region or its GB/T 2260 code). Left out, the question is "anywhere at all?",
            own objects included. None is an object of no known region: visibility has already kept it from strangers,
            so the role in any region will do.
        own: the object is the user's own, which rights limited to own objects ask for.

    Raises:
        ValueError: no such action.
    """
    row = TABLE[Action(action)]
    if not user.is_authenticated or not user.is_active:
        return False
    if user.is_superuser:
        return True
    for role, code in user.role_regions:
        scope = row.get(Role(role))
        if scope is None:
            continue
        if region is ANYWHERE or (own and scope is Scope.OWN):
            return True
        if scope is Scope.REGION and (code is None or region is None or _covers(code, region)):
            return True
    return False


def _covers(code: str, region: Region | str) -> bool:
    inner = region if isinstance(region, str) else region.code
    return inner.startswith(region_prefix(code))


def require(
    user: User | AnonymousUser,
    action: Action | str,
    region: Region | str | _Anywhere | None = ANYWHERE,
    *,
    own: bool = False,
) -> None:
    """Refuse what is not allowed, and log the refusal.

    Raises:
        ForbiddenError: the user may not do this (E-API-03).
    """
    if not allowed(user, action, region, own=own):
        log.warning("denied: user=%s action=%s region=%s own=%s", user, action, region, own)
        raise ForbiddenError


def signed_in(user: User | AnonymousUser) -> User:
    """The person behind a request, for doors that hand them to a use case.

    Raises:
        ForbiddenError: nobody is signed in.
    """
    if not user.is_authenticated:
        raise ForbiddenError
    return user


def requires(action: Action) -> type[BasePermission]:
    """A DRF permission class: the user may do ``action`` somewhere, and to the object at hand in its region."""

    class Requires(BasePermission):
        """Reads the one permission table."""

        def has_permission(self, request: Request, view: APIView) -> bool:
            return allowed(request.user, action)

        def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
            return allowed(request.user, action, obj.region)

    return Requires


def rights(user: User | AnonymousUser) -> dict[str, bool]:
    """Every action as ``verb_object`` and whether the user may do it anywhere; ``admin`` is the administration site."""
    can = {"_".join(reversed(action.value.split("."))): allowed(user, action) for action in Action}
    can["admin"] = bool(user.is_authenticated and user.is_active and user.is_staff)
    return can
