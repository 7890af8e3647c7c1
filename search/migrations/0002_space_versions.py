from django.db import migrations, models


def take_over_from_snapshots(apps, schema_editor):
    """What is searched now is what the snapshot in use was made from; without one the space has no version yet."""
    Space = apps.get_model("search", "Space")
    for space in Space.objects.select_related("snapshot").exclude(snapshot=None):
        Space.objects.filter(pk=space.pk, version="").update(version=space.snapshot.version)


class Migration(migrations.Migration):

    dependencies = [
        ("search", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="space",
            name="version",
            field=models.CharField(
                blank=True, default="", help_text="Of the features that are searched", max_length=80
            ),
        ),
        migrations.AddField(
            model_name="space",
            name="refused",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Version that was rolled back; it does not come again by itself",
                max_length=80,
            ),
        ),
        migrations.RunPython(take_over_from_snapshots, migrations.RunPython.noop),
    ]
