from django.apps import AppConfig


class FetchingConfig(AppConfig):
    name = "search.model_registry"
    label = "fetching"
    verbose_name = "Encoders"
    default_auto_field = "django.db.models.BigAutoField"
