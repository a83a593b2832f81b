"""Resumable, checksummed uploads (tus 1.0)."""
