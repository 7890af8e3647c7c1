"""Entry point for WSGI servers."""

import gc
import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagesite.settings")

application = get_wsgi_application()

# Only now: models can be imported when the apps are loaded. The first visitor must not wait for indexes and kernels.
import_module("search.retrieval.warmup").warm_up()

# What is loaded by now stays. Without this, each full collection looks at all of it and stops requests for 0.1 s.
gc.collect()
gc.freeze()
