from django.apps import AppConfig


class FhirProxyConfig(AppConfig):
    name = "fhirproxy"

    def ready(self) -> None:
        from consent import dependents
        from fhirproxy.writes import commands

        dependents.register("writes", commands.block_for_consent)
