from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gallery", "0003_title_key"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="image",
            index=models.Index(
                condition=models.Q(("trashed_at", None)), fields=["title_key", "-id"], name="image_by_title"
            ),
        ),
        migrations.AddIndex(
            model_name="image",
            index=models.Index(
                condition=models.Q(("trashed_at", None)), fields=["-bytes", "-id"], name="image_by_size"
            ),
        ),
    ]
