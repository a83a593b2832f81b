"""Administration of people and their roles."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Superusers are for superusers: an administrator could set their password and become one."""
        people = super().get_queryset(request)
        return people if request.user.is_superuser else people.filter(is_superuser=False)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only superusers hand out what lies beside the roles."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, "is_superuser", "groups", "user_permissions")
