"""Waters of the map, ground that a decision gives to a mine, and how well scenes are registered."""

import django.contrib.gis.db.models.fields
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

# What people said stays as they said it: a check of a registration is never changed, a decision about ground may only
# be withdrawn, once.
KEPT = """
CREATE FUNCTION books_keep_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'landdamage_territoryoverride' THEN
        IF OLD.withdrawn_at IS NULL AND NEW.override_id = OLD.override_id AND NEW.mine_id = OLD.mine_id
            AND ST_AsBinary(NEW.geom) = ST_AsBinary(OLD.geom) AND NEW.reason = OLD.reason
            AND NEW.created_by_id = OLD.created_by_id AND NEW.created_at = OLD.created_at
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'what was said of % cannot change', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = 'words_are_kept';
END $$;
CREATE TRIGGER keep_words BEFORE UPDATE OR DELETE ON landdamage_territoryoverride
    FOR EACH ROW EXECUTE FUNCTION books_keep_words();
CREATE TRIGGER keep_words BEFORE UPDATE ON landdamage_registrationcheck
    FOR EACH ROW EXECUTE FUNCTION books_keep_words();
"""
UNDO = "DROP FUNCTION books_keep_words() CASCADE;"


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0001_initial'),
        ('landdamage', '0011_limits_of_samples'),  # numbers were given out in blocks: that one came first
        ('registry', '0001_initial'),
        ('uploads', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Hydrography',
            fields=[
                ('hydrography_id', models.BigAutoField(primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('river', 'River'), ('lake', 'Lake'), ('reservoir', 'Reservoir')], max_length=9, verbose_name='kind')),
                ('name', models.CharField(blank=True, max_length=80, verbose_name='name')),
                ('geom', django.contrib.gis.db.models.fields.GeometryField(srid=4490, verbose_name='outline or course')),
                ('source', models.CharField(max_length=200, verbose_name='source')),
                ('source_sha256', models.CharField(max_length=64, verbose_name='SHA-256 of the delivery')),
                ('valid_from', models.DateField(blank=True, null=True, verbose_name='valid from')),
                ('valid_to', models.DateField(blank=True, null=True, verbose_name='valid to')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='imported')),
            ],
            options={
                'verbose_name': 'water of the map',
                'verbose_name_plural': 'hydrography',
                'ordering': ['hydrography_id'],
            },
        ),
        migrations.CreateModel(
            name='RegistrationCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rmse_m', models.FloatField(blank=True, null=True, verbose_name='registration error (m)')),
                ('method', models.CharField(max_length=200, verbose_name='how it was measured')),
                ('checked_at', models.DateTimeField(auto_now_add=True, verbose_name='checked')),
            ],
            options={
                'verbose_name': 'registration check',
                'verbose_name_plural': 'registration checks',
                'ordering': ['-checked_at', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='TerritoryOverride',
            fields=[
                ('override_id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('geom', django.contrib.gis.db.models.fields.MultiPolygonField(srid=4490, verbose_name='outline')),
                ('reason', models.TextField(verbose_name='reason')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='decided')),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True, verbose_name='withdrawn')),
                ('withdrawn_reason', models.TextField(blank=True, verbose_name='reason of the withdrawal')),
            ],
            options={
                'verbose_name': 'territory by decision',
                'verbose_name_plural': 'territories by decision',
                'ordering': ['-created_at'],
            },
        ),
        migrations.AddField(
            model_name='scene',
            name='georef_rmse_m',
            field=models.FloatField(blank=True, null=True, verbose_name='registration error (m)'),
        ),
        migrations.AddConstraint(
            model_name='scene',
            constraint=models.CheckConstraint(condition=models.Q(('georef_rmse_m__isnull', True), ('georef_rmse_m__gte', 0), _connector='OR'), name='scene_registration_error_not_negative'),
        ),
        migrations.AddField(
            model_name='hydrography',
            name='created_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='imported by'),
        ),
        migrations.AddField(
            model_name='hydrography',
            name='region',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='hydrography', to='registry.region', verbose_name='region'),
        ),
        migrations.AddField(
            model_name='registrationcheck',
            name='checked_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='checked by'),
        ),
        migrations.AddField(
            model_name='registrationcheck',
            name='scene',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='registration_checks', to='landdamage.scene', verbose_name='scene'),
        ),
        migrations.AddField(
            model_name='territoryoverride',
            name='created_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='decided by'),
        ),
        migrations.AddField(
            model_name='territoryoverride',
            name='mine',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='territory_overrides', to='registry.mine', verbose_name='mine'),
        ),
        migrations.AddField(
            model_name='territoryoverride',
            name='withdrawn_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='withdrawn by'),
        ),
        migrations.AddIndex(
            model_name='hydrography',
            index=models.Index(fields=['region', 'source_sha256'], name='landdamage__region__99a9a8_idx'),
        ),
        migrations.AddConstraint(
            model_name='hydrography',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['river', 'lake', 'reservoir'])), name='hydrography_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='hydrography',
            constraint=models.CheckConstraint(condition=models.Q(('valid_from__isnull', True), ('valid_to__isnull', True), ('valid_to__gte', models.F('valid_from')), _connector='OR'), name='hydrography_ends_after_it_begins'),
        ),
        migrations.AddConstraint(
            model_name='registrationcheck',
            constraint=models.CheckConstraint(condition=models.Q(('rmse_m__isnull', True), ('rmse_m__gte', 0), _connector='OR'), name='registration_check_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='registrationcheck',
            constraint=models.CheckConstraint(condition=models.Q(('method', ''), _negated=True), name='registration_check_says_how'),
        ),
        migrations.AddConstraint(
            model_name='territoryoverride',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='territory_override_gives_its_reason'),
        ),
        migrations.AddConstraint(
            model_name='territoryoverride',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('withdrawn_at__isnull', True), ('withdrawn_by__isnull', True), ('withdrawn_reason', '')), models.Q(('withdrawn_at__isnull', False), ('withdrawn_by__isnull', False), models.Q(('withdrawn_reason', ''), _negated=True)), _connector='OR'), name='territory_override_withdrawn_by_somebody'),
        ),
        migrations.RunSQL(KEPT, UNDO),
    ]
