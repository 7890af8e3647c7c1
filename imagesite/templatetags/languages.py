"""What base.html needs to speak the visitor's language."""

from __future__ import annotations

import json

from django import template
from django.utils.translation import get_language

from gallery.web.i18n import in_scripts

register = template.Library()


@register.simple_tag
def script_texts() -> str:
    """The texts of static/*.js in this page's language, as JSON; "" for English, which the scripts know."""
    return "" if get_language() == "en" else json.dumps(in_scripts(), ensure_ascii=False, separators=(",", ":"))
