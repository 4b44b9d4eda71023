from django.apps import AppConfig


class SmartConfig(AppConfig):
    name = "smart"

    def ready(self) -> None:
        from smart import signals  # noqa: F401  names what ends
