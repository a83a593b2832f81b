"""Administration of people and their roles."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.utils.translation import gettext_lazy as _

from minegis.access.models import Membership, User


class MembershipInline(admin.TabularInline[Membership, User]):
    """Roles within regions, edited with the person."""

    model = Membership
    extra = 0
    autocomplete_fields = ["region"]


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """People."""

    list_display = ["username", "display_name", "is_active", "is_staff", "last_login"]
    fieldsets: ClassVar[Any] = (
        *(DjangoUserAdmin.fieldsets or ()),
        (_("MineGIS"), {"fields": ["display_name", "language"]}),
    )
    inlines = [MembershipInline]
