"""The one queryset every door uses: rows a user may see, by the regions of their memberships."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from minegis.access.models import User


def region_prefix(code: str) -> str:
    """The part of a GB/T 2260 code that all subordinate regions share: 650000 -> 65, 652300 -> 6523.

    A township's nine digits end in three of its own (652301100), of which none is padding.
    """
    if len(code) == 9 and code[6:] != "000":
        return code
    pairs = [code[i : i + 2] for i in range(0, len(code[:6]), 2)]
    while len(pairs) > 1 and pairs[-1] == "00":
        pairs.pop()
    return "".join(pairs)


class RegionScopedQuerySet(models.QuerySet[Any]):
    """Rows that lie in a region; ``region_path`` names the lookup that leads to the region's code."""

    region_path: ClassVar[str] = "region__code"
    owner_path: ClassVar[str | None] = None  # field that names the person who made the row: own rows are always visible
    reader_roles: ClassVar[frozenset[str] | None] = None  # roles that may read the whole region; None: any role

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Rows inside the user's regions, subordinate regions included, and the user's own rows.

        An inactive or anonymous user sees nothing; a membership without region covers every region.
        """
        if not user.is_authenticated or not user.is_active:
            return self.none()
        codes = user.region_codes(self.reader_roles)
        if None in codes:
            return self
        allowed = Q(pk__in=[])
        for code in codes:
            allowed |= Q(**{f"{self.region_path}__startswith": region_prefix(str(code))})
        if self.owner_path:
            allowed |= Q(**{self.owner_path: user})
        return self.filter(allowed)
