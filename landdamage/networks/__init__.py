"""Segmentation networks in plain torch."""

from landdamage.networks.registry import NETWORKS, build

__all__ = ["NETWORKS", "build"]
