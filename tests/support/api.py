"""Clients of the API: a visitor, writers and staff, and pictures to send."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.authtoken.models import Token

from tests.support.images import encode, scene


def holder(*permissions: str, **flags: Any) -> Client:
    """A client with the token of a user who may do these things."""
    user = User.objects.create_user(f"user{User.objects.count()}", **flags)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return Client(headers={"Authorization": f"Token {Token.objects.create(user=user).key}"})


def writer() -> Client:
    return holder("add_image", "change_image", "delete_image")


def picture(seed: int = 1, name: str = "drawn.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, encode(scene(seed, (160, 120)), "PNG"), "image/png")


def add(client: Client, seed: int = 1, **fields: Any) -> dict[str, Any]:
    answer = client.post("/api/images/", {"file": picture(seed), **fields})
    assert answer.status_code == 201, answer.content
    return answer.json()


def error_of(answer: Any, status: int) -> dict[str, Any]:
    """The error in an answer, after checking its status and that the body is the one all errors have."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "fields"}
    assert body["error"]["code"]
    assert body["error"]["message"]
    assert all(isinstance(texts, list) for texts in body["error"]["fields"].values())
    return body["error"]
