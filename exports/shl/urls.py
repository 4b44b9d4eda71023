from django.urls import path

from exports.shl import views

app_name = "shl"
urlpatterns = [
    path("<str:address>", views.link, name="link"),
    path("file/<str:address>", views.file, name="file"),
]
