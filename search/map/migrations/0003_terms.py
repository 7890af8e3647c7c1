"""The program's names follow the glossary; tables and columns stay as they are, so nothing is done to the database."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("atlas", "0002_cancelled_jobs"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("Page", "Tile"),
                migrations.AlterModelTable("Tile", "atlas_page"),
                migrations.AlterField(
                    "Tile",
                    "layout",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="tiles", to="atlas.layout"
                    ),
                ),
                migrations.AlterField(
                    "Tile", "level", models.PositiveSmallIntegerField(help_text="Side of one thumbnail, pixels")
                ),
                migrations.AlterField(
                    "Tile",
                    "content",
                    models.CharField(help_text="Hash of the pictures that belong on it", max_length=16),
                ),
                migrations.RenameField("Layout", "places", "positions"),
                migrations.AlterField(
                    "Layout",
                    "positions",
                    models.BinaryField(
                        db_column="places", help_text="search/map/codec.py, in the order of their slots", null=True
                    ),
                ),
                migrations.AlterField(
                    "Layout",
                    "labels",
                    models.JSONField(default=list, help_text="Cluster labels: text, x, y, count, level"),
                ),
                migrations.AlterField(
                    "Layout",
                    "overview",
                    models.CharField(
                        blank=True, help_text="Storage name of a picture of the whole map", max_length=100
                    ),
                ),
                migrations.AlterField(
                    "Layout",
                    "revision",
                    models.PositiveIntegerField(default=0, help_text="Raised with every picture added or removed"),
                ),
                migrations.RenameField("Point", "place", "position"),
                migrations.AlterField(
                    "Point",
                    "position",
                    models.BinaryField(db_column="place", help_text="One position of search/map/codec.py"),
                ),
            ]
        )
    ]
