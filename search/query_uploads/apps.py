from django.apps import AppConfig


class QueriesConfig(AppConfig):
    name = "search.query_uploads"
    label = "queries"
    default_auto_field = "django.db.models.BigAutoField"
