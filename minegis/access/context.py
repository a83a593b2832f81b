"""What templates know about the user's rights."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from minegis.access.permissions import rights


def permissions(request: HttpRequest) -> dict[str, Any]:
    """``can.<action>``: what the user may do anywhere, read from the one permission table when first asked."""
    return {"can": SimpleLazyObject(lambda: rights(request.user))}
