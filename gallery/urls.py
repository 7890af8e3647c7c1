from django.urls import path

from gallery import views

app_name = "gallery"
urlpatterns = [
    path("", views.index, name="index"),
    path("add/", views.add, name="add"),
    path("images/<int:pk>/", views.image, name="image"),
    path("images/<int:pk>/edit/", views.edit, name="edit"),
    path("images/<int:pk>/delete/", views.delete, name="delete"),
]
