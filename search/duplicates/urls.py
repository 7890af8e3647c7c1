from django.urls import path

from search.duplicates import compare_views, views

PAIR = "duplicates/compare/<int:first_id>/<int:second_id>"

app_name = "duplicates"
urlpatterns = [
    path("duplicates/", views.index, name="index"),
    path("duplicates/find/", views.find, name="find"),
    path("duplicates/<int:pk>/keep/", views.keep, name="keep"),
    path("duplicates/<int:pk>/apart/", views.apart, name="apart"),
    path("duplicates/decisions/<int:pk>/undo/", views.undo, name="undo"),
    path("duplicates/compare/<int:first_id>/<int:second_id>/", compare_views.compare, name="compare"),
    path("duplicates/compare/<int:first_id>/<int:second_id>/aligned.webp", compare_views.aligned, name="aligned"),
    path(
        "duplicates/compare/<int:first_id>/<int:second_id>/difference.webp", compare_views.difference, name="difference"
    ),
]
