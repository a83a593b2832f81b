"""Pinned frames are evidence: what their rows say cannot change, whoever asks the database to."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION enhancement_evidence_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'evidence frames are added, never changed' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER evidence_is_kept BEFORE UPDATE ON enhancement_evidenceframe
  FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION enhancement_evidence_is_kept();
"""
BACKWARD = """
DROP TRIGGER evidence_is_kept ON enhancement_evidenceframe;
DROP FUNCTION enhancement_evidence_is_kept();
"""


class Migration(migrations.Migration):
    dependencies = [("enhancement", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
