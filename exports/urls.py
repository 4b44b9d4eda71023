"""Addresses for backend services, at the FHIR base and in front of the gate's."""

from django.urls import path

from exports.bulk import group_views, views
from exports.bulk.kickoff import Level

app_name = "exports"
urlpatterns = [
    path("r4/$export", views.start, {"level": Level.SYSTEM}, name="bulk-system"),
    path("r4/Patient/$export", views.start, {"level": Level.PATIENT}, name="bulk-patient"),
    path("r4/Group/<str:group_id>/$export", views.start, {"level": Level.GROUP}, name="bulk-group"),
    path("r4/Group", group_views.search, name="groups"),
    path("r4/Group/_search", group_views.search, name="group-search"),
    path("r4/Group/<str:group_id>", group_views.read, name="group"),
    path("r4/bulk/<uuid:job_id>", views.status, name="bulk-status"),
    path("r4/bulk/<uuid:job_id>/<path:name>", views.file, name="bulk-file"),
]
