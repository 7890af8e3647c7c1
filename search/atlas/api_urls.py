from django.urls import path

from search.atlas import api

app_name = "atlas-api"
urlpatterns = [
    path("", api.Maps.as_view(), name="maps"),
    path("<int:pk>/", api.OneLayout.as_view(), name="layout"),
]
