from django.urls import path

from search.map import api

app_name = "atlas-api"
urlpatterns = [
    path("", api.Maps.as_view(), name="maps"),
    path("<int:pk>/", api.OneLayout.as_view(), name="layout"),
    path("<int:pk>/cancel/", api.CancelLayout.as_view(), name="layout-cancel"),
]
