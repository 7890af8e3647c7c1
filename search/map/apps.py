from django.apps import AppConfig


class AtlasConfig(AppConfig):
    name = "search.map"
    label = "atlas"
    verbose_name = "Map"
