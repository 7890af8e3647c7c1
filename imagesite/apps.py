from pathlib import Path

from django.apps import AppConfig
from django.conf import settings


class ImagesiteConfig(AppConfig):
    name = "imagesite"

    def ready(self) -> None:
        """The file queue needs its folders, whichever process is the first to send a message."""
        if settings.CELERY_BROKER_URL.startswith("filesystem"):
            for option in ("data_folder_in", "control_folder"):
                Path(settings.CELERY_BROKER_TRANSPORT_OPTIONS[option]).mkdir(parents=True, exist_ok=True)
