from django.db import migrations

import gallery.models

AT_ONCE = 2_000


def fill(apps, schema_editor):
    """Give every picture that is here the key that its title is sorted by."""
    images = apps.get_model("gallery", "Image")._base_manager.exclude(title="").order_by("pk")
    last = 0
    while rows := list(images.filter(pk__gt=last).only("title")[:AT_ONCE]):
        for row in rows:
            row.title_key = gallery.models.title_key(row.title)
        images.bulk_update(rows, ["title_key"], batch_size=500)
        last = rows[-1].pk


class Migration(migrations.Migration):
    dependencies = [
        ("gallery", "0002_trash"),
    ]

    operations = [
        migrations.AddField(
            model_name="image",
            name="title_key",
            field=gallery.models.TitleKey(default="", editable=False, max_length=200),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
