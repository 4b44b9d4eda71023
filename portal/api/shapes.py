"""What the API's answers look like. Times are RFC 3339 in UTC; codes are those of FHIR and of the log."""

import zoneinfo
from datetime import UTC
from typing import Any

from django.conf import settings
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from audit.models import AuditEvent
from consent.decision import ProvisionType
from consent.models import Consent
from consent.provisions import read_back
from fhirproxy.models import WriteCommand, WriteEvent
from portal import consent_facts
from smart.models import Client

OPTIONAL: dict[str, Any] = {"required": False}


class Moment(serializers.DateTimeField):
    """Said in UTC, wherever the clinic is."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given, default_timezone=UTC)


class PageQuery(serializers.Serializer[Any]):
    """How much of a list, and from where."""

    count = serializers.IntegerField(min_value=1, max_value=100, default=50, help_text="Most on one page.")
    cursor = serializers.CharField(max_length=1000, default="", help_text="From `next` of the page before.")


class ConsentQuery(PageQuery):
    status = serializers.ChoiceField(["active", "inactive", "proposed", "rejected"], **OPTIONAL)


class ActivityQuery(PageQuery):
    since = Moment(help_text="The first moment.", **OPTIONAL)
    until = Moment(help_text="The first moment that is too late.", **OPTIONAL)


class ClientShape(serializers.ModelSerializer[Client]):
    """Who made an app, and what they say it is for."""

    class Meta:
        model = Client
        fields = ("client_id", "name", "vendor", "purpose", "privacy_policy_uri", "client_uri")
        read_only_fields = fields


class ConsentShape(serializers.Serializer[Consent]):
    """One consent as it stands. The FHIR resource with all versions is at /fhir/r4/Consent."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(Consent.Kind.choices)
    status = serializers.ChoiceField(Consent.Status.choices)
    name = serializers.SerializerMethodField(help_text="With whom, in the language that was asked for.")
    client = ClientShape(allow_null=True)
    categories = serializers.SerializerMethodField(help_text="Codes of what can be seen; empty means all.")
    can_write = serializers.SerializerMethodField()
    version = serializers.IntegerField(source="current_number")
    created_at = Moment()
    period_end = Moment(allow_null=True, help_text="Null: until it is changed.")
    revoked_at = Moment(allow_null=True)

    def get_name(self, consent: Consent) -> str:
        return str(consent_facts.name_of(consent))

    def get_categories(self, consent: Consent) -> list[str]:
        return sorted({category for permit in _permits(consent) for category in permit.categories})

    def get_can_write(self, consent: Consent) -> bool:
        return any(permit.writes for permit in _permits(consent))


def _permits(consent: Consent) -> list[Any]:
    return [p for p in read_back(consent.current.provisions) if p.type is ProvisionType.PERMIT]


class EventShape(serializers.Serializer[AuditEvent]):
    """One line of the log. The sentence and the reasons are for the patient in person: to anyone else they
    would tell of what is hidden from them."""

    id = serializers.UUIDField()
    recorded_at = Moment()
    type = serializers.CharField()
    outcome = serializers.CharField()
    actor = serializers.CharField()
    on_behalf_of = serializers.CharField()
    client = serializers.CharField()
    resource_types = serializers.ListField(child=serializers.CharField())
    consent = serializers.CharField()
    sentence = serializers.SerializerMethodField()
    categories = serializers.SerializerMethodField()
    reasons = serializers.SerializerMethodField()

    def get_sentence(self, event: AuditEvent) -> str | None:
        told: str | None = self.context["sentences"].get(event.id)
        return told

    def get_categories(self, event: AuditEvent) -> list[str] | None:
        return None if self.context["by_client"] else list(event.categories)

    def get_reasons(self, event: AuditEvent) -> list[str] | None:
        return None if self.context["by_client"] else list(event.reasons)


class WriteQuery(PageQuery):
    status = serializers.ChoiceField(WriteCommand.Status.choices, **OPTIONAL)


class AgainShape(serializers.Serializer[Any]):
    """What is proposed, changed."""

    resource = serializers.DictField(help_text="A FHIR R4 resource; docs/writable.md says which.")


class EntryShape(AgainShape):
    fullUrl = serializers.CharField(help_text="urn:uuid:…, by which the others refer to it.", **OPTIONAL)


class ProposalShape(EntryShape):
    """What is proposed for the chart."""

    also = EntryShape(many=True, help_text="New ones that come with it, or not at all.", **OPTIONAL)
    target = serializers.CharField(help_text="Of an update: Observation/1.", **OPTIONAL)
    version = serializers.CharField(help_text="Of an update: the version that was seen.", **OPTIONAL)
    noted_at = Moment(
        help_text="When it was written, by the sender's clock: for drafts made offline.", **OPTIONAL
    )


class StepShape(serializers.ModelSerializer[WriteEvent]):
    at = Moment(read_only=True)

    class Meta:
        model = WriteEvent
        fields = ("status", "at", "reason")
        read_only_fields = fields


class WriteShape(serializers.ModelSerializer[WriteCommand]):
    """One proposed change, and where it stands. It names no more of the record than its sender sent."""

    client = serializers.SlugRelatedField(slug_field="client_id", read_only=True)
    events = StepShape(many=True, read_only=True)
    noted_at = Moment(read_only=True)
    created_at = Moment(read_only=True)
    url = serializers.HyperlinkedIdentityField(view_name="api:write", lookup_url_kwarg="command_id")

    class Meta:
        model = WriteCommand
        fields = (
            *("id", "url", "status", "reason", "kind", "interaction", "resource_type", "target"),
            *("base_version", "result", "channel", "client", "noted_at", "created_at", "undoes", "events"),
        )
        read_only_fields = fields


class PreferencesShape(serializers.Serializer[Any]):
    """How pages and notices speak to a person. An empty time zone is the clinic's."""

    language = serializers.ChoiceField([code for code, _ in settings.LANGUAGES])
    time_zone = serializers.ChoiceField(["", *sorted(zoneinfo.available_timezones())])


def page_of(shape: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """A page of these, for the schema: the address of the next one, or null at the end."""
    name = f"{shape.__name__.removesuffix('Shape')}Page"
    return inline_serializer(
        name, {"next": serializers.URLField(allow_null=True), "results": shape(many=True)}
    )
