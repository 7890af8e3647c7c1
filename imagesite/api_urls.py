"""The HTTP API's addresses."""

from django.apps import apps
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from gallery import api as gallery
from gallery.web.api_views import NoSuchAddress
from search.web import api as search
from search.web import api_spaces as spaces

docs = SpectacularSwaggerSplitView.as_view(
    template_name="api_docs.html", url_name="api:schema", http_method_names=["get", "head"]
)

app_name = "api"
urlpatterns = [
    path("images/", gallery.Images.as_view(), name="images"),
    path("images/<int:pk>/", gallery.OneImage.as_view(), name="image"),
    path("images/<int:pk>/similar/", search.Similar.as_view(), name="similar"),
    path("images/<int:pk>/explain/", search.Explain.as_view(), name="explain"),
    path("search/image/", search.ByPicture.as_view(), name="search-image"),
    path("search/text/", search.ByText.as_view(), name="search-text"),
    path("searches/<slug:key>/", search.OneSearch.as_view(), name="search-kept"),
    path("spaces/", spaces.Spaces.as_view(), name="spaces"),
    path("reindex/", spaces.Reindex.as_view(), name="reindex"),
    path("jobs/<int:pk>/", spaces.OneJob.as_view(), name="job"),
    path("jobs/<int:pk>/cancel/", spaces.CancelJob.as_view(), name="job-cancel"),
    path("duplicates/trash/", include("gallery.trash.api_urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", docs, name="docs"),
    *([path("duplicates/", include("search.duplicates.api_urls"))] if apps.is_installed("search.duplicates") else []),
    re_path("", NoSuchAddress.as_view()),
]
