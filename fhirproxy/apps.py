from django.apps import AppConfig


class FhirProxyConfig(AppConfig):
    name = "fhirproxy"

    def ready(self) -> None:
        from accounts import identities
        from consent import dependents
        from fhirproxy.upstream import kept
        from fhirproxy.writes import steps

        dependents.register("writes", steps.block_for_consent)
        identities.on_end["copies"] = kept.forget
