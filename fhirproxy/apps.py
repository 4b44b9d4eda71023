from django.apps import AppConfig


class FhirProxyConfig(AppConfig):
    name = "fhirproxy"

    def ready(self) -> None:
        from accounts import identities
        from consent import dependents
        from fhirproxy.upstream import kept
        from fhirproxy.writes import commands

        dependents.register("writes", commands.block_for_consent)
        identities.on_end["copies"] = kept.forget
