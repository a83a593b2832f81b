"""What the books promise, kept by the database itself: sealed numbers, four eyes, decided before frozen."""

from django.db import migrations

# Statement triggers with transition tables: 100,000 cells cost one look at the edition's row. FOR SHARE waits for a
# freeze that is under way, so that no cell slips in between its hash and its commit.
CELLS = """
CREATE FUNCTION books_refuse_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found_state text;
BEGIN
    SELECT e.state INTO found_state FROM (
        SELECT state FROM landdamage_edition
        WHERE edition_id IN (SELECT DISTINCT edition_id FROM changed_rows) FOR SHARE
    ) e WHERE e.state <> 'draft' LIMIT 1;
    IF found_state IS NOT NULL THEN
        RAISE EXCEPTION 'the edition is %: its cells and decisions cannot change', found_state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'sealed_edition_cannot_change';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION books_refuse_sealed_restoration() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found_state text; piece bigint;
BEGIN
    IF TG_TABLE_NAME = 'landdamage_restoration_evidence' THEN
        piece := CASE WHEN TG_OP = 'DELETE' THEN OLD.restoration_id ELSE NEW.restoration_id END;
    ELSE
        piece := CASE WHEN TG_OP = 'DELETE' THEN OLD.piece_id ELSE NEW.piece_id END;
    END IF;
    SELECT e.state INTO found_state FROM landdamage_changepiece p
    JOIN landdamage_edition e ON e.edition_id = p.edition_id WHERE p.piece_id = piece FOR SHARE OF e;
    IF found_state <> 'draft' THEN
        RAISE EXCEPTION 'the edition is %: its restorations cannot change', found_state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'sealed_edition_cannot_change';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
"""

TABLES = ("landdamage_changecell", "landdamage_changepiece")
EVENTS = {"insert": ["NEW"], "update": ["OLD", "NEW"], "delete": ["OLD"]}


def cell_triggers() -> str:
    made = []
    for table in TABLES:
        made += [
            f"CREATE TRIGGER sealed_{event}_{side.lower()} AFTER {event.upper()} ON {table} "
            f"REFERENCING {side} TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION books_refuse_sealed();"
            for event, sides in EVENTS.items()
            for side in sides
        ]
    made += [
        f"CREATE TRIGGER sealed_rows BEFORE INSERT OR UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION books_refuse_sealed_restoration();"
        for table in ("landdamage_restoration", "landdamage_restoration_evidence")
    ]
    return "\n".join(made)


EDITION = """
CREATE FUNCTION books_guard_edition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'draft' THEN
            RAISE EXCEPTION 'an edition begins as a draft'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'edition_begins_as_draft';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        IF OLD.state <> 'draft' THEN
            RAISE EXCEPTION 'the edition is %: it cannot be deleted', OLD.state
                USING ERRCODE = 'check_violation', CONSTRAINT = 'sealed_edition_cannot_change';
        END IF;
        RETURN OLD;
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('draft', 'frozen'), ('frozen', 'draft'), ('frozen', 'published'), ('published', 'superseded'),
        ('published', 'withdrawn'), ('superseded', 'withdrawn')
    ) THEN
        RAISE EXCEPTION 'an edition does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edition_states_in_order';
    END IF;
    IF OLD.state <> 'draft' AND NEW.state <> 'draft' AND (
        NEW.edition_id, NEW.region_id, NEW.year, NEW.version, NEW.based_on_id, NEW.area_id, NEW.is_opening, NEW.params,
        NEW.inputs, NEW.results, NEW.computed_at, NEW.content_sha256, NEW.code_version
    ) IS DISTINCT FROM (
        OLD.edition_id, OLD.region_id, OLD.year, OLD.version, OLD.based_on_id, OLD.area_id, OLD.is_opening, OLD.params,
        OLD.inputs, OLD.results, OLD.computed_at, OLD.content_sha256, OLD.code_version
    ) THEN
        RAISE EXCEPTION 'the edition is %: its numbers cannot change', OLD.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'sealed_edition_cannot_change';
    END IF;
    IF NEW.state = 'frozen' AND OLD.state = 'draft' AND EXISTS (
        SELECT 1 FROM landdamage_changepiece p LEFT JOIN landdamage_restoration s ON s.piece_id = p.piece_id
        WHERE p.edition_id = NEW.edition_id AND (
            (p.kind = 'new' AND p.decision = '')
            OR (p.decision = 'restored' AND NOT EXISTS (
                SELECT 1 FROM landdamage_restoration_evidence v WHERE v.restoration_id = s.piece_id)))
    ) THEN
        RAISE EXCEPTION 'a change is undecided, or restored without evidence'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'frozen_edition_is_decided';
    END IF;
    IF NEW.state = 'published' AND OLD.state <> 'published' AND EXISTS (
        SELECT 1 FROM landdamage_changepiece p
        WHERE p.edition_id = NEW.edition_id AND p.decided_by_id = NEW.published_by_id
    ) THEN
        RAISE EXCEPTION 'who decided changes of an edition cannot publish it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'edition_published_by_other_eyes';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_edition BEFORE INSERT OR UPDATE OR DELETE ON landdamage_edition
    FOR EACH ROW EXECUTE FUNCTION books_guard_edition();
"""

UNDO = "\n".join(
    f"DROP FUNCTION {name}() CASCADE;"
    for name in ("books_guard_edition", "books_refuse_sealed_restoration", "books_refuse_sealed")
)


class Migration(migrations.Migration):
    dependencies = [("landdamage", "0002_books")]

    operations = [migrations.RunSQL(CELLS + cell_triggers() + EDITION, UNDO)]
