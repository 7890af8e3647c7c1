"""The settings of a site whose owner does not want the duplicates app."""

from __future__ import annotations

from imagesite import settings

APP = "search.duplicates"

globals().update({name: getattr(settings, name) for name in dir(settings) if name.isupper()})
INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != APP]
CELERY_BEAT_SCHEDULE = {name: entry for name, entry in settings.CELERY_BEAT_SCHEDULE.items() if APP not in name}
