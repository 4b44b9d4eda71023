from django.urls import path, re_path

from fhirproxy import audit_events, brands, consents, people_reads, receipts, views

app_name = "fhirproxy"
urlpatterns = [
    path("r4/.well-known/smart-configuration", brands.smart_configuration, name="smart-configuration"),
    path("r4/metadata", views.metadata, name="metadata"),
    path("r4/", views.fhir, {"path": ""}, name="base"),
    path("r4", views.fhir, {"path": ""}, name="base-bare"),
    path("r4/Consent", consents.type_level, name="consents"),
    path("r4/Consent/_search", consents.search, name="consent-search"),
    path("r4/Consent/<str:consent_id>", consents.instance, name="consent"),
    path("r4/Consent/<str:consent_id>/_history", consents.history, name="consent-history"),
    path("r4/Consent/<str:consent_id>/_history/<str:version>", consents.version, name="consent-version"),
    path("r4/AuditEvent", audit_events.type_level, name="audit-events"),
    path("r4/AuditEvent/_search", audit_events.type_level, name="audit-event-search"),
    path("r4/AuditEvent/<str:event_id>", audit_events.instance, name="audit-event"),
    path("r4/RelatedPerson", people_reads.related_persons, name="related-persons"),
    path("r4/RelatedPerson/_search", people_reads.related_persons, name="related-person-search"),
    *(
        path(f"r4/{kind}/<str:resource_id>", people_reads.instance, {"kind": kind}, name=name)
        for kind, name in {
            "Person": "person",
            "Practitioner": "practitioner",
            "PractitionerRole": "practitioner-role",
            "RelatedPerson": "related-person",
        }.items()
    ),
    path("r4/Task/<uuid:command_id>", receipts.receipt, name="receipt"),
    path("r4/<path:path>", views.fhir, name="fhir"),
    # One base for each EHR. (No slug is r4: see Source.problem.)
    path(
        "<slug:source>/r4/.well-known/smart-configuration",
        brands.smart_configuration,
        name="source-smart-configuration",
    ),
    path("<slug:source>/r4/metadata", views.metadata, name="source-metadata"),
    path("<slug:source>/r4/", views.fhir, {"path": ""}, name="source-base"),
    path("<slug:source>/r4", views.fhir, {"path": ""}, name="source-base-bare"),
    path("<slug:source>/r4/<path:path>", views.fhir, name="source-fhir"),
    re_path(r"^[\s\S]*$", views.nowhere, name="nowhere"),  # whatever it is: line breaks too
]
