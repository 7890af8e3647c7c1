"""The program's names follow the glossary; the table stays as it is, so nothing is done to the database."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("queries", "0001_initial"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("Kept", "QueryUpload"),
                migrations.AlterModelTable("QueryUpload", "queries_kept"),
                migrations.AlterModelOptions("QueryUpload", {"ordering": ["-created_at"]}),
                migrations.AlterField(
                    "QueryUpload", "width", models.PositiveIntegerField(help_text="Pixels of the stored copy")
                ),
            ]
        )
    ]
