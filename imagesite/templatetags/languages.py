"""What base.html needs to speak the visitor's language."""

from __future__ import annotations

from django import template
from django.utils.translation import get_language

from gallery.web.i18n import ENGLISH, script_catalog_url

register = template.Library()


@register.simple_tag
def script_texts() -> str:
    """The address of what scripts say in this page's language; "" if they need none."""
    return script_catalog_url(get_language() or ENGLISH)
