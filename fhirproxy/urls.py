from django.urls import path

from fhirproxy import views
from smart.views.discovery import smart_configuration

app_name = "fhirproxy"
urlpatterns = [
    path("r4/.well-known/smart-configuration", smart_configuration, name="smart-configuration"),
    path("r4/metadata", views.metadata, name="metadata"),
    path("r4/", views.fhir, {"path": ""}, name="base"),
    path("r4/<path:path>", views.fhir, name="fhir"),
]
