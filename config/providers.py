"""Identity providers that people may sign in with (OpenID Connect), out of the environment.

IDENTITY_PROVIDERS names them; each has IDENTITY_PROVIDER_<NAME>_ISSUER, _CLIENT_ID, _SECRET and _LABEL, and
_ASSURANCE, which says what of theirs counts as what of ours: `claim:value=ours`, with commas between.
"""

from dataclasses import dataclass

from config import env

# Ours: two factors were used; the person was identified, and what is said of them was verified.
ASSURANCES = frozenset({"mfa", "identified"})


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    id: str
    label: str  # what people call it
    issuer: str
    client_id: str
    secret: str
    assurance: tuple[tuple[str, str, str], ...]  # (claim, value, ours); what is not listed is one factor

    @property
    def acr_values(self) -> tuple[str, ...]:
        """What we ask for (OpenID Connect Core 3.1.2.1)."""
        return tuple(dict.fromkeys(value for claim, value, _ in self.assurance if claim == "acr"))


def read(*, plain: bool) -> dict[str, IdentityProvider]:
    """Every provider by its name. `plain`: one without TLS is taken, as in tests. Raises BadVariable."""
    return {name: _read(name, plain) for name in env.listing("IDENTITY_PROVIDERS")}


def _read(name: str, plain: bool) -> IdentityProvider:
    if not name.replace("-", "").isalnum() or name != name.lower():
        raise env.BadVariable(f"IDENTITY_PROVIDERS has {name!r}; it takes small letters, digits and dashes.")
    start = f"IDENTITY_PROVIDER_{name.upper().replace('-', '_')}_"
    issuer = env.text(f"{start}ISSUER")
    if not issuer.startswith("https://") and not plain:
        raise env.BadVariable(f"{start}ISSUER is not https.")
    return IdentityProvider(
        id=name,
        label=env.text(f"{start}LABEL", name),
        issuer=issuer,
        client_id=env.text(f"{start}CLIENT_ID"),
        secret=env.text(f"{start}SECRET"),
        assurance=tuple(_assurance(start, part) for part in env.listing(f"{start}ASSURANCE")),
    )


def _assurance(start: str, part: str) -> tuple[str, str, str]:
    theirs, _, ours = part.rpartition("=")
    claim, _, value = theirs.partition(":")
    if not (claim and value) or ours not in ASSURANCES:
        raise env.BadVariable(f"{start}ASSURANCE has {part!r}; it takes claim:value=mfa or =identified.")
    return claim, value, ours
