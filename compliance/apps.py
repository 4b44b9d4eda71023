from django.apps import AppConfig
from django.contrib.admin import apps as admin


class ComplianceConfig(AppConfig):
    name = "compliance"
    default = True


class ConsoleConfig(admin.AdminConfig):
    """Django admin with our site in it: INSTALLED_APPS names this in place of django.contrib.admin."""

    default = False
    default_site = "compliance.console.Console"
