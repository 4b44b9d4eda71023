from django.apps import AppConfig


class ConfigApp(AppConfig):
    name = "config"

    def ready(self) -> None:
        from config import checks, logging  # noqa: F401  checks register themselves

        logging.set_up()
