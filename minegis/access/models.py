"""Users and their roles, each role within a region."""

from __future__ import annotations

from functools import cached_property

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from minegis.access.roles import Role
from minegis.registry.models import Region

__all__ = ["Membership", "Role", "User"]


class User(AbstractUser):
    """A person who signs in."""

    display_name = models.CharField(_("display name"), max_length=60, blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True)

    @cached_property
    def role_regions(self) -> list[tuple[str, str | None]]:
        """Pairs of role and region code (None: every region); read once per request."""
        return list(self.memberships.values_list("role", "region__code"))

    def region_codes(self, roles: frozenset[str] | None = None) -> set[str | None]:
        """Codes of the regions of the memberships in some roles (None: any role).

        A None among the codes stands for every region, as for a superuser.
        """
        if self.is_superuser:
            return {None}
        return {code for role, code in self.role_regions if roles is None or role in roles}

    def __str__(self) -> str:
        return self.display_name or self.username


class Membership(models.Model):
    """One role of one person in one region; no region means all of them."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships", verbose_name=_("user"))
    role = models.CharField(_("role"), max_length=12, choices=Role.choices)
    region = models.ForeignKey(
        Region, models.PROTECT, null=True, blank=True, related_name="memberships", verbose_name=_("region")
    )

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(fields=["user", "role", "region"], nulls_distinct=False, name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()} · {self.region or '*'}"
