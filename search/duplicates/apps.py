from importlib import import_module

from django.apps import AppConfig


class DuplicatesConfig(AppConfig):
    name = "search.duplicates"
    label = "duplicates"

    def ready(self) -> None:
        import_module("search.duplicates.receivers")  # which connects them
