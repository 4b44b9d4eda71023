from django.urls import path, re_path
from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView

from portal.api import views, writes

app_name = "api"
schema = SpectacularAPIView.as_view(
    authentication_classes=(), permission_classes=(), renderer_classes=(OpenApiJsonRenderer2,)
)
urlpatterns = [
    path("schema/", schema, name="schema"),
    path("consents/", views.Consents.as_view(), name="consents"),
    path("consents/<uuid:consent_id>/", views.OneConsent.as_view(), name="consent"),
    path("consents/<uuid:consent_id>/end/", views.EndOfConsent.as_view(), name="consent-end"),
    path("pause/", views.Pause.as_view(), name="pause"),
    path("activity/", views.Activity.as_view(), name="activity"),
    path("activity/<uuid:event_id>/", views.OneEvent.as_view(), name="event"),
    path("writes/", writes.Writes.as_view(), name="writes"),
    path("writes/<uuid:command_id>/", writes.OneWrite.as_view(), name="write"),
    path("writes/<uuid:command_id>/cancel/", writes.EndOfWrite.as_view(), name="write-cancel"),
    path("writes/<uuid:command_id>/repropose/", writes.AnotherWrite.as_view(), name="write-repropose"),
    path("writes/<uuid:command_id>/undo/", writes.UndoneWrite.as_view(), name="write-undo"),
    path("preferences/", views.Preferences.as_view(), name="preferences"),
    re_path("", views.Nowhere.as_view()),
]
