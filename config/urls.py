"""Every address of the site. Paths are guarded in the views they name; a test walks them all."""

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.urls import include, path, re_path
from django.utils.module_loading import import_string
from django.views.generic import RedirectView

from config.health import healthz

not_found = import_string("portal.views.problems.not_found")
status = import_string("portal.views.status.status")
brands = import_string("fhirproxy.brands.bundle")
protected_resource = import_string("fhirproxy.brands.protected_resource")
cds_services = import_string("fhirproxy.consult.discovery")
consult = import_string("fhirproxy.consult.consult")

provider_back = import_string("portal.views.providers.back")
password_change = import_string("portal.views.security.password_change")
password_set = import_string("portal.views.security.password_set")
remove_codes = import_string("portal.views.security.remove_codes")
remove_passkey = import_string("portal.views.security.remove_passkey")
to_security = RedirectView.as_view(pattern_name="portal:security")
to_devices = RedirectView.as_view(pattern_name="portal:devices")

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("status/", status, name="status"),
    path(".well-known/user-access-brands.json", brands, name="brands"),
    path(
        ".well-known/oauth-protected-resource/fhir/<slug:source>/r4",
        protected_resource,
        name="source-protected-resource",
    ),
    path("", include("smart.urls")),
    path("fhir/", include("exports.urls")),
    path("fhir/", include("fhirproxy.urls")),
    path("shl/", include("exports.shl.urls")),
    path("cds-services", cds_services, name="cds-services"),
    path("cds-services/patient-consent-consult", consult, name="patient-consent-consult"),
    path("accounts/email/", not_found, {"exception": None}),  # a clinic changes it, not yet the person
    path("accounts/sessions/", login_required(to_devices), name="usersessions_list"),
    path("accounts/2fa/", login_required(to_security), name="mfa_index"),
    path("accounts/2fa/webauthn/", login_required(to_security), name="mfa_list_webauthn"),
    path("accounts/2fa/webauthn/keys/<int:pk>/remove/", remove_passkey, name="mfa_remove_webauthn"),
    path("accounts/2fa/totp/deactivate/", remove_codes, name="mfa_deactivate_totp"),
    path("accounts/password/change/", password_change, name="account_change_password"),
    path("accounts/password/set/", password_set, name="account_set_password"),
    *(  # allauth's own ways to ask again: accounts.stepup is ours
        path(f"accounts/{way}/", not_found, {"exception": None})
        for way in ("reauthenticate", "2fa/reauthenticate", "2fa/reauthenticate/webauthn")
    ),
    path("accounts/oidc/<slug:provider_id>/login/callback/", provider_back, name="openid_connect_callback"),
    *(  # and its pages about providers: accounts.providers is ours
        re_path(f"^accounts/{way}/", not_found, {"exception": None}) for way in ("oidc", "3rdparty", "social")
    ),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("portal.api.urls")),
    path("", include("portal.urls")),
]
handler400 = "portal.views.problems.bad_request"
handler403 = "portal.views.problems.forbidden"
handler404 = "portal.views.problems.not_found"
handler500 = "portal.views.problems.server_error"
