from django.urls import path

app_name = "smart"
urlpatterns: list = []
