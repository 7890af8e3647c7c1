"""Metrics for Prometheus at /metrics: requests and their times, and the state of every space and queue."""

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

from imagesite.readiness import queued_tasks
from search.jobs.status import Status, statuses
from search.models import Extraction, SelfCheck

# Clients can invent others, and each label would be a time series of its own.
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
REQUESTS = Counter("imagesite_requests", "Requests answered", ["view", "method", "status"])
SECONDS = Histogram("imagesite_request_seconds", "Time until the answer begins", ["view"])


class MetricsMiddleware:
    """Counts and times every request under the name of its view: there is an end of views, but not of paths."""

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
    """Reads database and queue when Prometheus asks, so that every process answers the same."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        spaces = statuses()
        for name, description, value in SPACE_METRICS:
            yield _gauge(f"space_{name}", description, "space", {status.space: value(status) for status in spaces})
        recalls = dict(SelfCheck.objects.values_list("space_id", "recall"))
        yield _gauge("space_recall", "Recall@10 of the last self-check", "space", recalls)
        queued = Extraction.objects.count()
        yield GaugeMetricFamily("imagesite_queue_pictures", "Pictures that work was asked for", value=queued)
        yield _gauge("queue_tasks", "Tasks that no worker has taken yet", "queue", queued_tasks())


# Name, description, value.
SPACE_METRICS: list[tuple[str, str, Callable[[Status], int]]] = [
    ("pictures", "Pictures that searches find", lambda status: status.count),
    ("pending", "Pictures that still lack the feature", lambda status: status.pending),
    ("tail", "Rows that the index lacks, and that every search compares one by one", lambda status: status.tail),
    ("lag", "Changes since the index was brought up to date, replaced ones too", lambda status: status.lag),
]


def _gauge(name: str, description: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    """One value for each value of the label."""
    gauge = GaugeMetricFamily(f"imagesite_{name}", description, labels=[label])
    for key, value in values.items():
        gauge.add_metric([key], value)
    return gauge


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For staff, and for whoever sends ``Authorization: Bearer METRICS_TOKEN``; 404 for others."""
    if not (_has_token(request) or (request.user.is_authenticated and request.user.is_staff)):
        raise Http404
    registry = CollectorRegistry()
    registry.register(SpacesCollector())
    return HttpResponse(generate_latest(registry) + _request_metrics(), content_type=CONTENT_TYPE_LATEST)


def _has_token(request: HttpRequest) -> bool:
    sent = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
    return bool(settings.METRICS_TOKEN) and compare_digest(sent, settings.METRICS_TOKEN.encode())


def _request_metrics() -> bytes:
    """Counters of this process, or of all processes of this host if they share a folder: imagesite/webserver.py."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return generate_latest(registry)
