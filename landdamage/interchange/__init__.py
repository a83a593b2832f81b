"""Vectors in and out: the standard attribute table, its formats and encodings, earlier polygons read back. No Django here."""
