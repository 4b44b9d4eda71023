from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "exports"

    def ready(self) -> None:
        from accounts import endings
        from consent import dependents, leaving
        from exports import commands
        from exports.shl import commands as health_links

        dependents.register("exports", commands.block_for_consent)
        leaving.on_leave["exports"] = commands.end_all_of
        dependents.register("health-links", health_links.end_of_consent)
        endings.on_person_end["health-links"] = health_links.end_all_of
