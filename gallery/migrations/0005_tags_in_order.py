from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("gallery", "0004_orders"),
    ]

    operations = [
        # The pictures of a tag in their order; the table is made by Django, which can give it no such index.
        migrations.RunSQL(
            "CREATE INDEX gallery_image_tags_in_order ON gallery_image_tags (tag_id, image_id)",
            "DROP INDEX gallery_image_tags_in_order",
        ),
    ]
