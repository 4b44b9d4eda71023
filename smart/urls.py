"""Protocol endpoints, mounted at the root.

Chosen one by one: the toolkit's own list would let everyone who signed in register
clients (G7) and serve endpoints that fail (G11). Authorize, which is a page for people,
stands in the portal; smart-configuration is routed by the FHIR gate, at its base.
"""

from django.urls import path

from smart.views import discovery, register, style, tokens

app_name = "smart"
urlpatterns = [
    path("o/token/", tokens.token, name="token"),
    path("o/par/", tokens.push, name="par"),
    path("o/revoke_token/", tokens.revoke, name="revoke"),
    path("o/introspect/", tokens.introspect, name="introspect"),
    path("o/register/", register.register, name="register"),
    path("o/register/<str:client_id>/", register.manage, name="register-manage"),
    path("o/userinfo/", tokens.userinfo, name="userinfo"),
    path(".well-known/smart-style.json", style.style, name="style"),
    path(".well-known/jwks.json", discovery.jwks, name="jwks"),
    path(".well-known/openid-configuration", discovery.openid_configuration, name="openid-configuration"),
    path(
        ".well-known/oauth-authorization-server",
        discovery.authorization_server,
        name="authorization-server",
    ),
    path(".well-known/oauth-protected-resource", discovery.protected_resource, name="protected-resource"),
    path(
        ".well-known/oauth-protected-resource/fhir/r4",
        discovery.protected_resource,
        name="protected-resource-path",
    ),
]
