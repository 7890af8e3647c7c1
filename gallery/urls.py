from django.urls import path

from gallery import album_views, selection_views, views
from gallery.trash import views as trash

app_name = "gallery"
urlpatterns = [
    path("", views.index, name="index"),
    path("add/", views.add, name="add"),
    path("images/<int:pk>/", views.image, name="image"),
    path("images/<int:pk>/edit/", views.edit, name="edit"),
    path("images/<int:pk>/delete/", trash.delete, name="delete"),
    path("restore/", trash.undo, name="undo"),
    path("trash/", trash.trash, name="trash"),
    path("trash/restore/", trash.restore, name="trash-restore"),
    path("trash/purge/", trash.purge, name="trash-purge"),
    path("tags/", album_views.tags, name="tags"),
    path("albums/", album_views.albums, name="albums"),
    path("albums/<int:pk>/", album_views.album, name="album"),
    path("albums/<int:pk>/edit/", album_views.edit, name="album-edit"),
    path("albums/<int:pk>/delete/", album_views.delete, name="album-delete"),
    path("selection/", selection_views.selection, name="selection"),
]
