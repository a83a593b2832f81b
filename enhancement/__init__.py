"""Restoration of mine surveillance video (dust, fog, night, motion blur)."""
