"""The life of an edition: draft, computed, frozen, published, superseded or withdrawn; the opening book."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
from django.db import transaction
from django.db.models import Case, Max, QuerySet, When
from django.utils import timezone
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.content import FORMAT, content_sha256
from landdamage.accounting.identities import check
from landdamage.accounting.statement import Statement
from landdamage.accounting.surveyed import EXTENTS, Extent
from landdamage.accounting.workfiles import save_table
from landdamage.models import ChangePiece, Edition, MonitoredArea
from landdamage.selectors.reviews import places, reviews_since, tailings_open, waters_open
