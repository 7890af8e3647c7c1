"""All URLs."""

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.views.i18n import set_language

from gallery import media
from gallery.web.i18n import script_catalog
from imagesite import views
from imagesite.metrics import metrics
from imagesite.readiness import readyz

urlpatterns = [
    path("", include("gallery.urls")),
    path("", include("search.urls")),
    path("media/<path:name>", media.serve, name="media"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("language/", login_not_required(set_language), name="set_language"),
    path("language/<slug:language>/<slug:digest>.js", script_catalog, name="script-catalog"),
    path("admin/", admin.site.urls),
    path("map/", include("search.map.urls")),
    path("api/map/", include("search.map.api_urls")),
    path("api/", include("imagesite.api_urls")),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
if apps.is_installed("search.duplicates"):  # the site works without it
    urlpatterns.append(path("", include("search.duplicates.urls")))

handler400 = "imagesite.views.bad_request"
handler500 = "imagesite.views.server_error"
