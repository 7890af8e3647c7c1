from django.apps import AppConfig


class DuplicatesConfig(AppConfig):
    name = "search.duplicates"
    label = "duplicates"

    def ready(self) -> None:
        from search.duplicates import receivers  # noqa: F401  (connects them)
