"""Entry point for WSGI servers."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagesite.settings")

application = get_wsgi_application()

from search.retrieval.warmup import warm_up  # noqa: E402  (needs the apps to be loaded)

warm_up()

# What is loaded by now stays. Without this, each full collection looks at all of it and stops requests for 0.1 s.
gc.collect()
gc.freeze()
