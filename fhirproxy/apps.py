from django.apps import AppConfig


class FhirProxyConfig(AppConfig):
    name = "fhirproxy"
