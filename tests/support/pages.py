"""What tests of pages share: small pictures, what a page says, and who asks for it."""

import re

from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile

from gallery.services import add_image
from tests.support.images import encode, scene


def add(seed, title="", tags=(), size=(64, 48)):
    return add_image(data=encode(scene(seed, size)), file_name=f"scene {seed}.jpg", title=title, tags=tags).image


def copy(quality):
    """The picture of ``add(1)`` in other bytes."""
    return add_image(data=encode(scene(1, (64, 48)), quality=quality)).image


def upload(seed, name="new.jpg"):
    return SimpleUploadedFile(name, encode(scene(seed, (64, 48))))


def text(response):
    """What came; of a page, without the white space that only lays out its source."""
    content = response.content.decode()
    if not response.get("Content-Type", "").startswith("text/html"):
        return content
    content = re.sub("> <", "><", re.sub(r"[ \n]+", " ", content))
    return re.sub(r"(?<=<)([a-z][^>]*>) | (?=</)", r"\1", content)


def links(response):
    return re.findall(r'href="(/images/\d+/)"', text(response))


def as_editor(client):
    """Log in somebody who may add, change and delete pictures."""
    user = User.objects.create_user("editor", password="a long enough one")
    codenames = ["add_image", "change_image", "delete_image"]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return client
