"""Vectors in and out: the standard attribute table, formats and encodings, earlier polygons read back. No Django."""
