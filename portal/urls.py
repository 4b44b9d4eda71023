"""The portal's addresses. Each page has a contract (portal.pages) and a guard (portal.guards)."""

from django.conf import settings
from django.urls import path
from django.views.i18n import set_language

from portal.views import design, home, more

app_name = "portal"
urlpatterns = [
    path("", home.home, name="home"),
    path("more/", more.more, name="more"),
    path("help/", more.help_page, name="help"),
    path("language/", set_language, name="language"),
    *([path("design/", design.design, name="design")] if settings.DEMO else []),
]
