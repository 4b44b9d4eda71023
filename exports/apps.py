from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "exports"

    def ready(self) -> None:
        from consent import dependents, leaving
        from exports import commands

        dependents.register("exports", commands.block_for_consent)
        leaving.on_leave["exports"] = commands.end_all_of
