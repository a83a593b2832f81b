"""The administrators' rights on the administration site, told from their role instead of rows per person."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_permission_codename
from django.contrib.auth.backends import BaseBackend

from minegis.access.models import Membership, User
from minegis.access.roles import Role


class RoleBackend(BaseBackend):
    """Grants Django's permissions to the role ``admin``: people and their roles to edit, records to look at.

    Accounts belong to no region, so only an administrator of all regions gets them. Data decisions are not among
    them: those are rows of ``permissions.TABLE``.
    """

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Names as ``access.change_user``; none for other roles and inactive people."""
        if obj is not None or not user_obj.is_active or not isinstance(user_obj, User):
            return set()
        if (Role.ADMIN, None) not in user_obj.role_regions:
            return set()
        edited = {
            _name(action, model) for model in (User, Membership) for action in ("view", "add", "change", "delete")
        }
        seen = {
            _name("view", model) for app in settings.ADMIN_MAY_SEE for model in apps.get_app_config(app).get_models()
        }
        return edited | seen

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        """Whether the administration site lists the application."""
        return any(name.startswith(f"{app_label}.") for name in self.get_user_permissions(user_obj))


def _name(action: str, model: Any) -> str:
    return f"{model._meta.app_label}.{get_permission_codename(action, model._meta)}"
