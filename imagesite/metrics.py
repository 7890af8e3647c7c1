"""Figures for Prometheus at /metrics: what visitors asked and how long it took, and how every space stands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from secrets import compare_digest
from time import perf_counter

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from imagesite.readiness import waiting
from search.jobs.status import Status, statuses
from search.models import Extraction, SelfCheck

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}  # others have no end either
REQUESTS = Counter("imagesite_requests", "Requests answered", ["view", "method", "status"])
SECONDS = Histogram("imagesite_request_seconds", "Time until the answer begins", ["view"])


class MetricsMiddleware:
    """Counts and times every request under the name of its view: addresses have no end, views do."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = perf_counter()
        response = self.get_response(request)
        view = request.resolver_match.view_name if request.resolver_match else "none"
        method = request.method if request.method in METHODS else "OTHER"
        REQUESTS.labels(view, method, response.status_code).inc()
        SECONDS.labels(view).observe(perf_counter() - started)
        return response


class SpacesCollector:
    """Read from the database and the queue when asked, so that every process tells the same."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = statuses()
        for name, told, value in FIGURES:
            yield _gauge(f"space_{name}", told, "space", {one.space: value(one) for one in found})
        recalls = dict(SelfCheck.objects.values_list("space_id", "recall"))
        yield _gauge("space_recall", "Recall@10 of the last self-check", "space", recalls)
        queued = Extraction.objects.count()
        yield GaugeMetricFamily("imagesite_queue_pictures", "Pictures that work was asked for", value=queued)
        yield _gauge("queue_tasks", "Tasks that no worker has taken yet", "queue", waiting())


FIGURES: list[tuple[str, str, Callable[[Status], int]]] = [
    ("pictures", "Pictures that searches find", lambda one: one.count),
    ("pending", "Pictures that still lack the feature", lambda one: one.pending),
    ("tail", "Rows that the index lacks, and that every search compares one by one", lambda one: one.tail),
    ("lag", "Changes since the index was brought up to date, replaced ones too", lambda one: one.lag),
]


def _gauge(name: str, told: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"imagesite_{name}", told, labels=[label])
    for key, value in values.items():
        gauge.add_metric([key], value)
    return gauge


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For staff, and for whoever sends ``Authorization: Bearer METRICS_TOKEN``; to others there is nothing here."""
    if not (_has_token(request) or (request.user.is_authenticated and request.user.is_staff)):
        raise Http404
    registry = CollectorRegistry()
    registry.register(SpacesCollector())
    return HttpResponse(generate_latest(registry) + _counted(), content_type=CONTENT_TYPE_LATEST)


def _has_token(request: HttpRequest) -> bool:
    sent = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
    return bool(settings.METRICS_TOKEN) and compare_digest(sent, settings.METRICS_TOKEN.encode())


def _counted() -> bytes:
    """What this process has counted, or all processes of this host where they share a folder for it."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return generate_latest(registry)
