"""Template filters about pictures."""

from __future__ import annotations

import math

from django import template

from gallery.models import Image

register = template.Library()

# static/site.css has one class a step. A style attribute would say it exactly, but the site's
# content security policy forbids those; a step of 5% crops at most 2.5% in the grid.
NARROWEST, STEP, STEPS = 0.25, 1.05, 57


@register.filter
def ratio_class(image: Image) -> str:
    """CSS class that stands for the picture's width / height, for example ``r28``."""
    steps = math.log(image.width / image.height / NARROWEST, STEP)
    return f"r{min(max(round(steps), 0), STEPS)}"


@register.filter
def thumbnail(image: Image, size: int) -> str:
    """Address of the copy whose longest side is at most ``size`` pixels."""
    return image.thumbnail_url(size)


def ratio_rules() -> str:
    """The rules of these classes, as static/site.css must have them."""
    return "\n".join(f".r{step}{{--r:{NARROWEST * STEP**step:.3f}}}" for step in range(STEPS + 1))
