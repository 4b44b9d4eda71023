from django.apps import AppConfig


class ConsentConfig(AppConfig):
    name = "consent"

    def ready(self) -> None:
        from accounts import endings
        from consent import checks, dependents, emergencies, helping

        dependents.register("helper", helping.end_of_consent)
        endings.on_person_end["emergency"] = emergencies.end_all_of
        checks.refuse_broken_rules()
