from django.urls import path

app_name = "fhirproxy"
urlpatterns: list = []
