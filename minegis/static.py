"""How static files are stored: names with their hash, compressed once."""

from __future__ import annotations

from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):
    """Compressed by gzip alone: brotli at its best took a minute of every installation for a tenth of the bytes."""

    def create_compressor(self, **options: Any) -> Compressor:
        """The compressor for ``collectstatic``."""
        return Compressor(**options, use_brotli=False)
