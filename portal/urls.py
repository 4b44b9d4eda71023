"""The portal's addresses. Each page has a contract (portal.pages) and a guard (portal.guards)."""

from django.conf import settings
from django.urls import path
from django.views.i18n import set_language

from portal.views import (
    apps,
    authorize,
    design,
    documents,
    downloads,
    home,
    more,
    readings,
    records,
    results,
    review,
)

app_name = "portal"
urlpatterns = [
    path("", home.home, name="home"),
    path("records/", records.records, name="records"),
    path("results/", results.results, name="results"),
    path("results/report/<str:report_id>/", results.lab_report, name="report"),
    path("results/trend/<str:code>/", results.trend, name="trend"),
    path("results/<str:result_id>/", results.result, name="result"),
    path("vitals/", results.vitals, name="vitals"),
    path("medicines/", records.medicines, name="medicines"),
    path("allergies/", records.allergies, name="allergies"),
    path("conditions/", records.conditions, name="conditions"),
    path("vaccines/", records.vaccines, name="vaccines"),
    path("visits/", records.visits, name="visits"),
    path("documents/", documents.documents, name="documents"),
    path("documents/<str:document_id>/", documents.document, name="document"),
    path("documents/<str:document_id>/file/", documents.document_file, name="document-file"),
    path("more/", more.more, name="more"),
    path("help/", more.help_page, name="help"),
    path("language/", set_language, name="language"),
    path("o/authorize/", authorize.begin, name="authorize"),
    path("o/authorize/<uuid:request_id>/", authorize.answer, name="authorize-answer"),
    path("apps/", apps.apps, name="apps"),
    path("apps/<uuid:consent_id>/", apps.app, name="app"),
    path("apps/<uuid:consent_id>/consent.json", apps.consent_fhir, name="consent-fhir"),
    path("apps/<uuid:consent_id>/stop/", apps.stop, name="app-stop"),
    path("apps/<uuid:consent_id>/stopped/", apps.stopped, name="app-stopped"),
    path("downloads/", downloads.downloads, name="downloads"),
    path("downloads/new/", downloads.new, name="download-new"),
    path("downloads/<uuid:job_id>/", downloads.download, name="download"),
    path("downloads/<uuid:job_id>/file/", downloads.file, name="download-file"),
    path("downloads/<uuid:job_id>/cancel/", downloads.cancel, name="download-cancel"),
    path("add/", readings.add, name="add"),
    path("add/blood-pressure/", readings.new, name="add-blood-pressure"),
    path("add/<uuid:command_id>/", readings.sent, name="add-sent"),
    path("review/", review.review, name="review"),
    path("review/<uuid:command_id>/", review.item, name="review-item"),
    path("review/<uuid:command_id>/accept/", review.accept, name="review-accept"),
    path("review/<uuid:command_id>/send-back/", review.send_back, name="review-send-back"),
    path("review/<uuid:command_id>/done/", review.done, name="review-done"),
    *([path("design/", design.design, name="design")] if settings.DEMO else []),
]
