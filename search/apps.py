from importlib import import_module

from django.apps import AppConfig
from django.conf import settings
from django.utils.crypto import salted_hmac

from search.indexes.milvus import server
from search.methods.configuration import Configuration, configure


class SearchConfig(AppConfig):
    name = "search"

    def ready(self) -> None:
        for module in ("search.checks", "search.receivers"):  # importing them registers what they have
            import_module(module)
        configure(_configuration)
        server.configure(_milvus)


def _milvus() -> tuple[str, str]:
    """Address, and a prefix for names that differs between sites that share a server."""
    return settings.MILVUS_URI, settings.MILVUS_PREFIX or f"site_{salted_hmac('milvus', '').hexdigest()[:12]}"


def _configuration() -> Configuration:
    return Configuration(settings.MODELS_ROOT, settings.ENCODER_THREADS, lambda name: getattr(settings, name, ""))
