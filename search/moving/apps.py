from django.apps import AppConfig


class MovingConfig(AppConfig):
    name = "search.moving"
    label = "moving"
    verbose_name = "Moving"
