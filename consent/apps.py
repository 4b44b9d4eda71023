from django.apps import AppConfig


class ConsentConfig(AppConfig):
    name = "consent"

    def ready(self) -> None:
        from consent import checks, dependents, helping

        dependents.register("helper", helping.end_of_consent)
        checks.refuse_broken_rules()
