"""Samples measured before intervals had two limits are measured again, from their labels."""

from django.db import migrations


def measure_again(apps, schema_editor):
    for sample in apps.get_model("landdamage", "CheckSample").objects.exclude(results={}):
        from landdamage.accounting.accuracy import figures  # an instance without samples never needs it

        points = sample.points.values_list("stratum", "first_label", "second_label", "agreed_label")
        sample.results = figures(list(points), sample.strata)
        sample.save(update_fields=["results"])


class Migration(migrations.Migration):
    dependencies = [("landdamage", "0010_patch_reviews")]

    operations = [migrations.RunPython(measure_again, migrations.RunPython.noop)]
