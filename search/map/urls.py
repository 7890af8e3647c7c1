from django.urls import path, register_converter
from django.urls.converters import StringConverter

from search.map import views


class DigestConverter(StringConverter):
    regex = "[0-9a-f]{16}"


register_converter(DigestConverter, "digest")

app_name = "atlas"
urlpatterns = [
    path("", views.map_page, name="map"),
    path("<int:pk>/places/", views.all_positions, name="places"),
    path("<int:pk>/overview.webp", views.overview, name="overview"),
    path("<int:pk>/<int:level>/<int:number>-<digest:digest>.webp", views.tile, name="page"),
    path("pictures/<int:pk>-<int:size>.webp", views.thumbnail, name="thumbnail"),
    path("tag/", views.tag, name="tag"),
    path("album/", views.album, name="album"),
    path("export/", views.export, name="export"),
    path("alike/", views.similar, name="alike"),
]
