"""Regions and mines: where things are and whom they belong to."""
