"""Below /api/duplicates/trash/."""

from django.urls import path

from gallery.trash import api

urlpatterns = [
    path("", api.Trash.as_view(), name="trash"),
    path("restore/", api.Restore.as_view(), name="trash-restore"),
]
