"""The files for containers agree with the settings. No engine runs here to build them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
VARIABLES = set(re.findall(r'\benv\.\w+\(\s*"(\w+)"', (ROOT / "imagesite" / "settings.py").read_text()))
READ_BY_OTHERS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}  # django-storages


def test_web_worker_and_clock_run_beside_their_servers() -> None:
    assert {"web", "worker", "beat", "prepare"} == set(OURS)
    assert {"postgres", "redis", "minio"} <= set(COMPOSE["services"])


@pytest.mark.parametrize("name", OURS)
def test_every_variable_that_is_set_is_a_setting(name: str) -> None:
    assert set(OURS[name]["environment"]) <= VARIABLES | READ_BY_OTHERS


def test_servers_are_reached_by_the_names_of_their_services() -> None:
    environment = OURS["web"]["environment"]
    hosts = set(re.findall(r"(?:@|//)(\w+)[:/]", " ".join(environment.values()).replace("http://localhost", "")))
    assert {"postgres", "redis", "minio"} <= hosts <= set(COMPOSE["services"]) | {"imagesite"}


def test_commands_are_those_of_manage_py() -> None:
    named = re.findall(r"manage\.py (\w+)", OURS["prepare"]["command"] + DOCKERFILE.replace('", "', " "))
    assert named
    assert set(named) <= set(get_commands())


def test_the_applications_exist() -> None:
    assert settings.WSGI_APPLICATION.startswith(shlex.split(OURS["web"]["command"])[1])
    for name in ("worker", "beat"):
        assert shlex.split(OURS[name]["command"])[:3] == ["celery", "-A", "imagesite"]


def test_no_password_is_written_down() -> None:
    for service in COMPOSE["services"].values():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET", variable):
                assert value.startswith("${"), variable


def test_the_image_has_no_torch_and_runs_as_nobody_special() -> None:
    assert "requirements.txt" not in DOCKERFILE
    assert re.search(r"^USER imagesite$", DOCKERFILE, re.MULTILINE)
    for listed in re.findall(r"requirements-\w+\.txt", DOCKERFILE):
        assert (ROOT / listed).exists()
        assert not re.search(r"^torch", (ROOT / listed).read_text(), re.MULTILINE)
