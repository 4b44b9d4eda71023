from django.apps import AppConfig


class FhirStoreConfig(AppConfig):
    name = "fhirstore"
