from django.apps import AppConfig


class MovingConfig(AppConfig):
    name = "search.transfer"
    label = "moving"
    verbose_name = "Moving"
