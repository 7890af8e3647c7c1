from django.urls import path

from search.web import explain_views, help_views, views

app_name = "search"
urlpatterns = [
    path("search/", views.search_page, name="search"),
    path("search/<slug:key>/", views.kept, name="kept"),
    path("search/<slug:key>/picture/", views.kept_picture, name="kept-picture"),
    path("search/<slug:key>/delete/", views.forget, name="forget"),
    path("images/<int:pk>/why/", explain_views.why, name="why"),
    path("help/", help_views.help_page, name="help"),
]
