from django.apps import AppConfig
from django.conf import settings
from django.utils.crypto import salted_hmac

from search.indexes.milvus import server
from search.methods import encoded, local
from search.methods.encoded import Models


class SearchConfig(AppConfig):
    name = "search"

    def ready(self) -> None:
        from search import checks, receivers  # noqa: F401  (connects them)

        encoded.configure(_models)
        local.configure(lambda: settings.LOCAL_FEATURES)
        server.configure(_milvus)


def _milvus() -> tuple[str, str]:
    return settings.MILVUS_URI, settings.MILVUS_PREFIX or f"site_{salted_hmac('milvus', '').hexdigest()[:12]}"


def _models() -> Models:
    chosen = {"neural": settings.NEURAL_ENCODER, "semantic": settings.SEMANTIC_ENCODER}
    return Models(settings.MODELS_ROOT, chosen, settings.ENCODER_THREADS)
