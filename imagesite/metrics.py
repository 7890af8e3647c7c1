"""Figures for Prometheus at /metrics: what visitors asked and how long it took, and how every space stands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
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

from search.models import Extraction, SelfCheck
from search.status import statuses

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
        REQUESTS.labels(view, request.method, response.status_code).inc()
        SECONDS.labels(view).observe(perf_counter() - started)
        return response


class SpacesCollector:
    """Read from the database when asked, so that every process tells the same."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        figures = {
            "pictures": "Pictures that searches find",
            "pending": "Pictures that still lack the feature",
            "tail": "Changes that the index snapshot lacks",
        }
        found = statuses()
        for name, told in figures.items():
            gauge = GaugeMetricFamily(f"imagesite_space_{name}", told, labels=["space"])
            for one in found:
                gauge.add_metric([one.space], one.count if name == "pictures" else getattr(one, name))
            yield gauge
        recall = GaugeMetricFamily("imagesite_space_recall", "Recall@10 of the last self-check", labels=["space"])
        for checked in SelfCheck.objects.all():
            recall.add_metric([checked.space_id], checked.recall)
        yield recall
        queued = Extraction.objects.count()
        yield GaugeMetricFamily("imagesite_queue_pictures", "Pictures that work was asked for", value=queued)


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
