"""The files for containers agree with the settings. No engine runs here to build them."""

from __future__ import annotations

import re
import shlex

import pytest
import urllib3
import yaml
from django.conf import settings
from django.core.management import get_commands

from imagesite.webserver import web_command
from tests.support.paths import ROOT
from tests.support.s3_server import S3Server, missing_s3
from tests.support.waiting import wait_until

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
VARIABLES = set(re.findall(r'\benv\.\w+\(\s*"(\w+)"', (ROOT / "imagesite" / "settings.py").read_text()))
READ_BY_OTHERS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}  # django-storages


def test_web_worker_and_clock_run_beside_their_servers() -> None:
    assert {"web", "worker", "beat", "prepare"} == set(OURS)
    assert {"postgres", "redis", "minio", "milvus", "etcd"} <= set(COMPOSE["services"])


@pytest.mark.parametrize("name", OURS)
def test_every_variable_that_is_set_is_a_setting(name: str) -> None:
    assert set(OURS[name]["environment"]) <= VARIABLES | READ_BY_OTHERS


def test_servers_are_reached_by_the_names_of_their_services() -> None:
    environment = OURS["web"]["environment"]
    hosts = set(re.findall(r"(?:@|//)(\w+)[:/]", " ".join(environment.values()).replace("http://localhost", "")))
    assert {"postgres", "redis", "minio", "milvus"} <= hosts <= set(COMPOSE["services"]) | {"imagesite"}


def test_milvus_has_its_servers_and_the_site_its_client() -> None:
    milvus = COMPOSE["services"]["milvus"]
    environment = milvus["environment"]
    for variable in ("ETCD_ENDPOINTS", "MINIO_ADDRESS"):
        host, port = environment[variable].split(":")
        assert host in milvus["depends_on"]
        assert port in f"{COMPOSE['services'][host].get('command')} {COMPOSE['services'][host].get('ports')}"
    assert environment["MINIO_SECRETACCESSKEY"] == COMPOSE["services"]["minio"]["environment"]["MINIO_ROOT_PASSWORD"]
    assert environment["MINIO_ACCESSKEYID"] == COMPOSE["services"]["minio"]["environment"]["MINIO_ROOT_USER"]
    assert environment["QUERYNODE_SEGCORE_INTERIMINDEX_NPROBE"] == "64"
    assert OURS["web"]["environment"]["INDEX_BACKEND"] == "${INDEX_BACKEND:-milvus}"
    assert "requirements-milvus.txt" in DOCKERFILE


def test_every_volume_that_is_mounted_is_declared_and_no_other() -> None:
    mounted = {one.partition(":")[0] for service in COMPOSE["services"].values() for one in service.get("volumes", ())}
    assert mounted == set(COMPOSE["volumes"])


def test_the_web_server_runs_as_serve_runs_it() -> None:
    assert "--config python:imagesite.webserver" in OURS["web"]["command"]
    assert "--config python:imagesite.webserver" in (ROOT / "docs" / "deploy.md").read_text()
    assert "python:imagesite.webserver" in web_command("", 0, 1)


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


def test_visitors_may_read_pictures_of_the_bucket_but_not_list_or_change_them() -> None:
    if reason := missing_s3():
        pytest.skip(reason)
    server = S3Server()
    try:
        server.client().create_bucket(Bucket="pictures")
        server.client().put_object(Bucket="pictures", Key="originals/a.jpg", Body=b"of a")
        assert status(f"{server.url}/pictures/originals/a.jpg") == 403
        policy = COMPOSE["services"]["bucket"]["environment"]["READERS"]
        server.client().put_bucket_policy(Bucket="pictures", Policy=policy)
        wait_until(lambda: status(f"{server.url}/pictures/originals/a.jpg") == 200, "the policy")
        assert status(f"{server.url}/pictures/?list-type=2") == 403
        assert status(f"{server.url}/pictures/b.jpg", "PUT") == 403
        assert status(f"{server.url}/pictures/originals/a.jpg", "DELETE") == 403
    finally:
        server.stop()


def status(url: str, method: str = "GET") -> int:
    return urllib3.request(method, url, retries=False, body=b"" if method == "PUT" else None).status


def test_the_image_has_no_torch_and_runs_as_nobody_special() -> None:
    assert "requirements.txt" not in DOCKERFILE
    assert re.search(r"^USER imagesite$", DOCKERFILE, re.MULTILINE)
    for listed in re.findall(r"requirements-\w+\.txt", DOCKERFILE):
        assert (ROOT / listed).exists()
        assert not re.search(r"^torch", (ROOT / listed).read_text(), re.MULTILINE)
