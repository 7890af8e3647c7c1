from django.apps import AppConfig


class AtlasConfig(AppConfig):
    name = "search.atlas"
    label = "atlas"
    verbose_name = "Map"
