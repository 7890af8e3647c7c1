"""Below /api/duplicates/."""

from django.urls import path

from search.duplicates import api

urlpatterns = [
    path("", api.Groups.as_view(), name="duplicates"),
    path("<int:pk>/", api.OneGroup.as_view(), name="duplicate"),
    path("<int:pk>/keep/", api.Keep.as_view(), name="duplicates-keep"),
    path("<int:pk>/apart/", api.Apart.as_view(), name="duplicates-apart"),
    path("decisions/<int:pk>/undo/", api.Undo.as_view(), name="duplicates-undo"),
    path("find/", api.Find.as_view(), name="duplicates-find"),
]
