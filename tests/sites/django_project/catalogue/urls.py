from django.urls import path

from . import views

urlpatterns = [
    path("", views.index, name="index"),
    path("add/", views.add, name="add"),
    path("upload/", views.upload, name="upload"),
    path("stream/<str:fifo>/", views.stream, name="stream"),
    path("download/<str:name>", views.download, name="download"),
    path("facts/", views.facts, name="facts"),
    path("broken/", views.broken, name="broken"),
]
