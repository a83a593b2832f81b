"""Four eyes for every author of a change; restorations and evidence under the seal; who decided a water."""

import importlib

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

before = importlib.import_module("landdamage.migrations.0003_seal_books")

# The schema above is new and its foreign keys are deferred: without the first line the indexes that Django makes at
# the end of the migration would meet pending checks. Deciding a water used to make the patch an edited outline, and
# nothing else did.
DATA = """
SET CONSTRAINTS ALL IMMEDIATE;
INSERT INTO landdamage_pieceauthor (piece_id, person_id)
    SELECT piece_id, author_id FROM landdamage_changepiece WHERE author_id IS NOT NULL;
UPDATE landdamage_patch SET water_decided_by_id = author_id, author_id = NULL, source = 'model'
    WHERE class_code = 'water' AND source = 'edited' AND author_id IS NOT NULL AND water_origin <> 'unknown';
"""
NO_DATA = """
SET CONSTRAINTS ALL IMMEDIATE;
UPDATE landdamage_patch SET author_id = water_decided_by_id, source = 'edited' WHERE water_decided_by_id IS NOT NULL;
"""

FOUR_EYES = """
CREATE FUNCTION books_refuse_own_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM landdamage_pieceauthor w WHERE w.piece_id = NEW.piece_id AND w.person_id = NEW.decided_by_id
    ) THEN
        RAISE EXCEPTION 'who drew some of a change cannot decide it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'piece_decided_by_other_eyes';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER own_decision BEFORE INSERT OR UPDATE ON landdamage_changepiece
    FOR EACH ROW WHEN (NEW.decided_by_id IS NOT NULL) EXECUTE FUNCTION books_refuse_own_decision();

CREATE FUNCTION books_refuse_deciding_author() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM landdamage_changepiece p WHERE p.piece_id = NEW.piece_id AND p.decided_by_id = NEW.person_id
    ) THEN
        RAISE EXCEPTION 'who decided a change cannot become an author of it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'piece_decided_by_other_eyes';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deciding_author BEFORE INSERT OR UPDATE ON landdamage_pieceauthor
    FOR EACH ROW EXECUTE FUNCTION books_refuse_deciding_author();
"""

# A row may neither be taken out of a sealed edition nor be put into one, so both its sides are asked. FOR SHARE waits
# for a freeze that is under way.
PARTS = """
CREATE OR REPLACE FUNCTION books_refuse_sealed_restoration() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found_state text; pieces bigint[] := '{}';
BEGIN
    IF TG_TABLE_NAME = 'landdamage_restoration_evidence' THEN
        IF TG_OP <> 'INSERT' THEN pieces := pieces || OLD.restoration_id; END IF;
        IF TG_OP <> 'DELETE' THEN pieces := pieces || NEW.restoration_id; END IF;
    ELSE
        IF TG_OP <> 'INSERT' THEN pieces := pieces || OLD.piece_id; END IF;
        IF TG_OP <> 'DELETE' THEN pieces := pieces || NEW.piece_id; END IF;
    END IF;
    SELECT s.state INTO found_state FROM (
        SELECT e.state FROM landdamage_changepiece p JOIN landdamage_edition e ON e.edition_id = p.edition_id
        WHERE p.piece_id = ANY (pieces) FOR SHARE OF e
    ) s WHERE s.state <> 'draft' LIMIT 1;
    IF found_state IS NOT NULL THEN
        RAISE EXCEPTION 'the edition is %: its restorations and authors cannot change', found_state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'sealed_edition_cannot_change';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER sealed_rows BEFORE INSERT OR UPDATE OR DELETE ON landdamage_pieceauthor
    FOR EACH ROW EXECUTE FUNCTION books_refuse_sealed_restoration();

CREATE FUNCTION books_refuse_sealed_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found_state text;
BEGIN
    SELECT s.state INTO found_state FROM (
        SELECT e.state FROM landdamage_restoration_evidence v
        JOIN landdamage_changepiece p ON p.piece_id = v.restoration_id
        JOIN landdamage_edition e ON e.edition_id = p.edition_id
        WHERE v.evidence_id = OLD.evidence_id FOR SHARE OF e
    ) s WHERE s.state <> 'draft' LIMIT 1;
    IF found_state IS NOT NULL THEN
        RAISE EXCEPTION 'evidence of an edition that is % cannot change', found_state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'sealed_edition_cannot_change';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER sealed_evidence BEFORE UPDATE OR DELETE ON landdamage_evidence
    FOR EACH ROW EXECUTE FUNCTION books_refuse_sealed_evidence();
"""

# Who did it and when is as fixed as the numbers: from the freeze on who made and froze it, from the publication on who
# published it, with which signature, note and predecessor, from the withdrawal on its reason.
EDITION = """
CREATE FUNCTION books_guard_deeds() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE changed boolean := false;
BEGIN
    IF OLD.state = 'draft' OR NEW.state = 'draft' THEN
        RETURN NEW;
    END IF;
    changed := (NEW.content_format, NEW.created_by_id, NEW.created_at, NEW.frozen_by_id, NEW.frozen_at)
        IS DISTINCT FROM (OLD.content_format, OLD.created_by_id, OLD.created_at, OLD.frozen_by_id, OLD.frozen_at);
    IF NOT (OLD.state = 'frozen' AND NEW.state = 'published') THEN
        changed := changed OR (NEW.published_by_id, NEW.published_at, NEW.signed_bias, NEW.supersedes_id)
            IS DISTINCT FROM (OLD.published_by_id, OLD.published_at, OLD.signed_bias, OLD.supersedes_id);
    END IF;
    IF OLD.state <> 'frozen' THEN
        changed := changed OR NEW.change_note IS DISTINCT FROM OLD.change_note;
    END IF;
    IF OLD.state = 'withdrawn' THEN
        changed := changed OR NEW.withdrawn_reason IS DISTINCT FROM OLD.withdrawn_reason;
    END IF;
    IF changed THEN
        RAISE EXCEPTION 'the edition is %: who did what to it cannot change', OLD.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'sealed_edition_cannot_change';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_deeds BEFORE UPDATE ON landdamage_edition FOR EACH ROW EXECUTE FUNCTION books_guard_deeds();
"""

UNDO = (
    "\n".join(
        f"DROP FUNCTION {name}() CASCADE;"
        for name in (
            "books_guard_deeds",
            "books_refuse_sealed_evidence",
            "books_refuse_deciding_author",
            "books_refuse_own_decision",
        )
    )
    + before.UNDO
    + before.CELLS
    + before.cell_triggers()
    + before.EDITION
)


class Migration(migrations.Migration):
    dependencies = [
        ("landdamage", "0004_vegetated_years_and_authors"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="PieceAuthor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="author",
                    ),
                ),
                (
                    "piece",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="authors",
                        to="landdamage.changepiece",
                        verbose_name="change",
                    ),
                ),
            ],
            options={
                "verbose_name": "author of a change",
                "verbose_name_plural": "authors of changes",
                "ordering": ["pk"],
            },
        ),
        migrations.AddConstraint(
            model_name="pieceauthor",
            constraint=models.UniqueConstraint(fields=("piece", "person"), name="piece_author_once"),
        ),
        # Editions sealed so far were hashed in format 1.
        migrations.AddField(
            model_name="edition",
            name="content_format",
            field=models.PositiveSmallIntegerField(default=1, verbose_name="format of the hashed content"),
        ),
        migrations.AlterField(
            model_name="edition",
            name="content_format",
            field=models.PositiveSmallIntegerField(default=2, verbose_name="format of the hashed content"),
        ),
        migrations.AddField(
            model_name="patch",
            name="water_decided_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="water decided by",
            ),
        ),
        migrations.AddConstraint(
            model_name="patch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("water_decided_by__isnull", True),
                    models.Q(("class_code", "water"), ("water_origin__in", ["pit_water", "tailings_water", "natural"])),
                    _connector="OR",
                ),
                name="patch_decided_water_has_an_origin",
            ),
        ),
        migrations.RunSQL(DATA, NO_DATA),
        migrations.RunSQL(FOUR_EYES + PARTS + EDITION, UNDO),
    ]
