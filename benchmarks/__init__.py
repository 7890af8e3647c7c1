"""Measurements. As in the site's own processes, a matrix product is one thread's work; this comes before numpy."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
