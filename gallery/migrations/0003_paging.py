from django.db import migrations, models
from django.db.models import F
from django.db.models.functions import Lower


class Migration(migrations.Migration):

    dependencies = [
        ('gallery', '0002_trash'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='image',
            index=models.Index(F('bytes').desc(), F('id').desc(), condition=models.Q(('trashed_at', None)), name='image_by_size'),
        ),
        migrations.AddIndex(
            model_name='image',
            index=models.Index(Lower('title'), F('id').desc(), condition=models.Q(('trashed_at', None)), name='image_by_title'),
        ),
        # The pictures of a tag in their order; the table is made by Django, which can give it no such index.
        migrations.RunSQL(
            'CREATE INDEX gallery_image_tags_in_order ON gallery_image_tags (tag_id, image_id)',
            'DROP INDEX gallery_image_tags_in_order',
        ),
    ]
