"""Shared storage in an S3 bucket: whole objects, a verified local copy of what is read, folders and strips of many."""
