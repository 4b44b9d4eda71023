"""The form in which a developer says what an app is; what it fills is metadata of RFC 7591."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import pgettext, pgettext_lazy

from smart import metadata
from smart.commands import Held, InvalidClient
from smart.identity import ALGORITHMS
from smart.models import Client

PUBLIC, BASIC, POST, KEYS, KEYS_URI = "none", "client_secret_basic", "client_secret_post", "jwks", "jwks_uri"
PROOFS = (
    (PUBLIC, pgettext_lazy("developer.proof.none", "Nothing but PKCE: it runs on a phone or in a browser")),
    (BASIC, pgettext_lazy("developer.proof.basic", "A client secret, sent in the Authorization header")),
    (POST, pgettext_lazy("developer.proof.post", "A client secret, sent in the body")),
    (KEYS, pgettext_lazy("developer.proof.jwks", "A signature; I give the public keys here")),
    (KEYS_URI, pgettext_lazy("developer.proof.jwks_uri", "A signature; the public keys are at an address")),
)
USERS = (
    ("person", pgettext_lazy("developer.user.person", "A person signs in and shares with it")),
    ("itself", pgettext_lazy("developer.user.itself", "Nobody: it is a backend service")),
)
# What is said where a member cannot be; a member that is not named here is told at the top.
WRONG: Mapping[str, Any] = {
    "client_name": pgettext_lazy("developer.wrong.name", "Enter a name of up to 80 plain characters."),
    "vendor": pgettext_lazy("developer.wrong.vendor", "Enter up to 80 plain characters."),
    "purpose": pgettext_lazy("developer.wrong.purpose", "Enter up to 200 plain characters on one line."),
    "redirect_uris": pgettext_lazy(
        "developer.wrong.redirect",
        "Enter whole https addresses, one to a line, with no * and nothing after a #.",
    ),
    "post_logout_redirect_uris": pgettext_lazy(
        "developer.wrong.redirect",
        "Enter whole https addresses, one to a line, with no * and nothing after a #.",
    ),
    "launch_uri": pgettext_lazy("developer.wrong.launch", "Enter a whole https address."),
    "client_uri": pgettext_lazy("developer.wrong.page", "Enter the address of a web page."),
    "policy_uri": pgettext_lazy("developer.wrong.page", "Enter the address of a web page."),
    "notification_uri": pgettext_lazy("developer.wrong.https", "Enter an address that begins with https."),
    "jwks_uri": pgettext_lazy("developer.wrong.https", "Enter an address that begins with https."),
    "jwks": pgettext_lazy(
        "developer.wrong.jwks",
        "Enter a JWK Set of public keys: RSA for RS384, or P-384 for ES384. Leave private parts out.",
    ),
    "scope": pgettext_lazy("developer.wrong.scope", "Enter SMART scopes with spaces between."),
    "contacts": pgettext_lazy("developer.wrong.contacts", "Enter e-mail addresses, one to a line."),
    "grant_types": pgettext_lazy(
        "developer.wrong.service", "A backend service signs: choose one of the two kinds of signature."
    ),
}
HELD = pgettext_lazy(
    "developer.held", "This was looked at as it is. To change it, take the app back to the sandbox first."
)


def _text(label: Any, help_text: Any = "", **more: Any) -> forms.CharField:
    return forms.CharField(label=label, help_text=help_text, required=more.pop("required", False), **more)


class AppForm(forms.Form):
    client_name = _text(pgettext_lazy("developer.name", "Name"), required=True, max_length=80)
    vendor = _text(pgettext_lazy("developer.vendor", "Who makes it"), max_length=80)
    purpose = _text(
        pgettext_lazy("developer.purpose", "What it is for"),
        pgettext_lazy("developer.purpose.help", "People read this when it asks them. Up to 200 characters."),
        max_length=200,
    )
    user = forms.ChoiceField(
        label=pgettext_lazy("developer.user", "Who uses it"), choices=USERS, widget=forms.RadioSelect
    )
    redirect_uris = _text(
        pgettext_lazy("developer.redirect", "Redirect URIs"),
        pgettext_lazy("developer.redirect.help", "One to a line. Each is compared character by character."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    launch_uri = _text(
        pgettext_lazy("developer.launch", "Launch address"),
        pgettext_lazy("developer.launch.help", "Where we open it from our own pages, if you want that."),
        max_length=200,
    )
    proof = forms.ChoiceField(
        label=pgettext_lazy("developer.proof", "How it proves itself"),
        choices=PROOFS,
        widget=forms.RadioSelect,
    )
    jwks = _text(
        pgettext_lazy("developer.jwks", "Public keys"),
        pgettext_lazy("developer.jwks.help", "A JWK Set, as JSON."),
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
    )
    jwks_uri = _text(pgettext_lazy("developer.jwks_uri", "Address of the keys"), max_length=200)
    scope = _text(
        pgettext_lazy("developer.scope", "Scopes"),
        pgettext_lazy(
            "developer.scope.help",
            "The most it may ask for, like patient/Observation.rs. Empty: anything a patient can share.",
        ),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    policy_uri = _text(pgettext_lazy("developer.policy", "Privacy policy"), max_length=200)
    client_uri = _text(pgettext_lazy("developer.client", "Its own web page"), max_length=200)
    contacts = _text(
        pgettext_lazy("developer.contacts", "Who answers for it"),
        pgettext_lazy("developer.contacts.help", "E-mail addresses, one to a line. No patient sees them."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    notification_uri = _text(
        pgettext_lazy("developer.notification", "Where it hears that sharing stopped"),
        max_length=200,
    )
    algorithm = forms.ChoiceField(
        label=pgettext_lazy("developer.algorithm", "Signature of ID tokens"),
        choices=[(name, name) for name in ALGORITHMS],
    )
    dpop = forms.BooleanField(
        label=pgettext_lazy("developer.dpop", "Its tokens are always bound to its key (DPoP)"), required=False
    )
    par = forms.BooleanField(
        label=pgettext_lazy("developer.par", "It always pushes its requests first (PAR)"), required=False
    )

    @classmethod
    def initial_of(cls, client: Client) -> dict[str, Any]:
        said = metadata.said_by(client)
        method = said["token_endpoint_auth_method"]
        signed = KEYS_URI if client.jwks_uri else KEYS
        return said | {
            "user": "itself" if said["grant_types"] == ["client_credentials"] else "person",
            "redirect_uris": "\n".join(said.get("redirect_uris", [])),
            "contacts": "\n".join(client.contacts),
            "proof": signed if method == "private_key_jwt" else method,
            "jwks": json.dumps(client.jwks, indent=1) if client.jwks else "",
            "algorithm": said["id_token_signed_response_alg"],
            "dpop": client.dpop_bound_access_tokens,
            "par": client.require_pushed_authorization_requests,
        }

    def clean_jwks(self) -> Any:
        text = self.cleaned_data["jwks"].strip()
        try:
            return json.loads(text) if text else None
        except (ValueError, RecursionError):
            raise forms.ValidationError(WRONG["jwks"]) from None

    def said(self) -> dict[str, Any]:
        """The form as metadata, by the names of RFC 7591, 2."""
        filled = self.cleaned_data
        proof, is_service = filled["proof"], filled["user"] == "itself"
        plain = ("client_name", "vendor", "purpose", "launch_uri", "scope", "policy_uri", "client_uri")
        said = {name: filled[name] for name in (*plain, "notification_uri") if filled[name]}
        return said | {
            "redirect_uris": filled["redirect_uris"].split(),
            "contacts": filled["contacts"].split(),
            "grant_types": ["client_credentials"] if is_service else ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "private_key_jwt" if proof in (KEYS, KEYS_URI) else proof,
            "jwks": filled["jwks"] if proof == KEYS else None,
            "jwks_uri": filled["jwks_uri"] if proof == KEYS_URI else None,
            "id_token_signed_response_alg": filled["algorithm"],
            "dpop_bound_access_tokens": filled["dpop"],
            "require_pushed_authorization_requests": filled["par"],
        }

    def refuse(self, error: InvalidClient) -> None:
        """Say at the field that it is about what cannot be."""
        if isinstance(error, Held):
            self.add_error(None, HELD)
            return
        member = error.member if error.member in self.fields else None
        if member == "jwks" and self.cleaned_data.get("proof") == KEYS_URI:
            member = "jwks_uri"
        if error.member == "grant_types":
            member = "proof"
        text = WRONG.get(error.member) or pgettext_lazy("developer.wrong", "This cannot be registered.")
        self.add_error(member, WRONG["jwks_uri"] if member == "jwks_uri" else text)


class ClaimForm(forms.Form):
    client_id = forms.CharField(label="client_id", max_length=100)
    token = forms.CharField(
        label="registration_access_token",
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def refuse(self, error: InvalidClient) -> None:
        if error.member == "token":
            text = pgettext("developer.claim.no", "There is no such app, or it is not yours to add.")
        else:
            text = pgettext("developer.claim.many", "You have as many apps as one person can have.")
        self.add_error(error.member, text)
