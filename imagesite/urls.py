"""All URLs."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from gallery import media
from imagesite import views
from imagesite.metrics import metrics
from imagesite.readiness import readyz

urlpatterns = [
    path("", include("gallery.urls")),
    path("", include("search.urls")),
    path("media/<path:name>", media.serve, name="media"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("api/", include("imagesite.api_urls")),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]

handler400 = "imagesite.views.bad_request"
handler500 = "imagesite.views.server_error"
