"""What the console shows: the log, consents, clients, writes, exports and notices.

No page shows what a record holds. Columns that may (`Phi.fields`) are left out, but for those
that an auditor cannot do without: what a person was shown, and what an event was about.
"""

from enum import StrEnum

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.events import EventType, Outcome, Role
from audit.models import AuditEvent, Checkpoint, LogLeaf
from audit.paragraphs import paragraph
from compliance import helpers_review as helpers_review  # registers its page, as the next one does
from compliance import identities as identities
from compliance.readonly import ReadOnlyAdmin, ReadOnlyInline
from consent.models import Consent, ConsentVersion
from exports.models import ExportFile, ExportJob, GroupApproval
from fhirproxy.models import WriteCommand, WriteEvent
from notices.models import Notice
from smart.models import Client, SecurityEvent


class CodeFilter(admin.SimpleListFilter):
    """A filter over codes that are known beforehand; none are looked for in the table."""

    codes: type[StrEnum]

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(code.value, code.value) for code in self.codes]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset


class TypeFilter(CodeFilter):
    title = parameter_name = "type"
    codes = EventType


class OutcomeFilter(CodeFilter):
    title = parameter_name = "outcome"
    codes = Outcome


class RoleFilter(CodeFilter):
    title = parameter_name = "role"
    codes = Role


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("recorded_at", "type", "outcome", "actor", "role", "patient", "client", "reasons")
    list_filter = (TypeFilter, OutcomeFilter, RoleFilter, "recorded_at")
    ordering = ("-id",)  # UUIDs of version 7: by time, and by the index
    fields = (
        "in_words",
        *("recorded_at", "type", "outcome", "actor", "on_behalf_of", "role", "patient", "client"),
        *("interaction", "resource_types", "categories", "purpose", "reasons", "consent"),
        *("consent_number", "count", "target", "correlation_id", "detail"),
    )
    find = {"Patient": "patient", "Client": "client", "User": "actor", "Consent": "consent"}
    patient_column = "patient"

    @admin.display(description="in words")
    def in_words(self, event: AuditEvent) -> str:
        leaf = LogLeaf.objects.filter(event_id=event.id).first()
        return paragraph(event, seq=leaf.seq if leaf else None)

    def value_of(self, reference: str) -> str:
        return reference  # the log keeps references whole

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """A bare id is a correlation id: what support reads off an error page."""
        term = search_term.strip()
        if not term or self.kind_of(term):
            return super().get_search_results(request, queryset, term)
        return queryset.filter(correlation_id=term), False


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    list_display = ("size", "made_at")
    ordering = ("-size",)
    fields = ("size", "made_at", "note")


class VersionInline(ReadOnlyInline):
    model = ConsentVersion
    fields = ("number", "status", "made_at", "made_by", "channel", "text_shown", "text_language", "digest")
    ordering = ("number",)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("made_by").defer("fhir", "provisions")


@admin.register(Consent)
class ConsentAdmin(ReadOnlyAdmin):
    list_display = ("id", "patient_id", "client", "helper_id", "status", "current_number", "period_end")
    list_filter = ("status", "period_end")
    list_select_related = ("client",)
    ordering = ("-created_at",)
    fields = (
        *("id", "patient", "client", "helper", "status", "current_number", "period_end", "created_at"),
        *("revoked_at", "revoked_by"),
    )
    inlines = (VersionInline,)
    find = {"Consent": "pk", "Patient": "patient_id", "Client": "client__client_id"}
    patient_column = "patient_id"


@admin.register(Client)
class ClientAdmin(ReadOnlyAdmin):
    list_display = ("client_id", "name", "vendor", "status", "client_type", "created")
    list_filter = ("status", "client_type")
    ordering = ("client_id",)
    fields = (
        *("client_id", "name", "vendor", "purpose", "status", "client_type", "authorization_grant_type"),
        *("scope", "redirect_uris", "launch_uri", "privacy_policy_uri", "client_uri", "created", "updated"),
        *("registration_source", "registration_credential", "token_endpoint_auth_method"),
    )
    find = {"Client": "client_id"}


class WriteEventInline(ReadOnlyInline):
    model = WriteEvent
    fields = ("at", "status", "by", "reason")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("by")


@admin.register(WriteCommand)
class WriteCommandAdmin(ReadOnlyAdmin):
    list_display = ("id", "patient_id", "author_id", "client", "resource_type", "status", "created_at")
    list_filter = ("status", "channel", "created_at")
    list_select_related = ("client",)
    ordering = ("-created_at",)
    fields = (
        *("id", "patient", "author", "client", "consent", "consent_number", "source", "channel"),
        *("interaction", "resource_type", "origin", "status", "reviewer", "reason", "created_at"),
    )
    inlines = (WriteEventInline,)
    find = {"WriteCommand": "pk", "Patient": "patient_id", "Client": "client__client_id", "User": "author_id"}
    patient_column = "patient_id"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).defer("resource", "result")


class FileInline(ReadOnlyInline):
    model = ExportFile
    fields = ("kind", "resource_type", "number", "is_private", "count", "size", "sha256")
    ordering = ("kind", "resource_type", "number")


@admin.register(ExportJob)
class ExportJobAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "kind", "patient_id", "requested_by_id", "client_id", "status", "created_at", "expires_at"),
        "reason",
    )
    list_filter = ("kind", "status", "include_sensitive", "created_at")
    ordering = ("-created_at",)
    fields = (
        *("id", "kind", "patient", "requested_by", "client", "group_reference", "status", "resource_types"),
        *("since", "until", "formats", "categories", "include_sensitive", "progress", "left_out"),
        *("created_at", "heartbeat_at", "finished_at", "expires_at", "reason"),
    )
    inlines = (FileInline,)
    find = {
        "ExportJob": "pk",
        "Patient": "patient_id",
        "User": "requested_by_id",
        "Client": "client__client_id",
    }
    patient_column = "patient_id"


@admin.register(GroupApproval)
class GroupApprovalAdmin(ReadOnlyAdmin):
    list_display = ("id", "group_id", "client", "purpose", "approved_at", "seconded_at", "ended_at")
    list_filter = ("purpose", "approved_at", "ended_at")
    list_select_related = ("client",)
    ordering = ("-approved_at",)
    fields = (
        *("group", "client", "purpose", "approved_at", "approved_by", "seconded_at", "seconded_by"),
        *("ended_at", "ended_by"),
    )
    find = {"GroupApproval": "pk", "Client": "client__client_id"}


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "recipient", "language", "created_at", "sent_at", "read_at", "attempts")
    list_filter = ("kind", "created_at", "sent_at")
    ordering = ("-created_at",)
    fields = (
        *("id", "kind", "recipient", "language", "created_at", "due_at"),
        *("sent_at", "read_at", "attempts"),
    )
    find = {"Notice": "pk", "User": "recipient"}

    def value_of(self, reference: str) -> str:
        return reference if reference.startswith("User/") else super().value_of(reference)


@admin.register(SecurityEvent)
class SecurityEventAdmin(ReadOnlyAdmin):
    list_display = ("id", "client", "kind", "authorization_id", "created_at", "sent_at", "attempts")
    list_filter = ("kind", "created_at", "sent_at")
    list_select_related = ("client",)
    ordering = ("-created_at",)
    fields = ("id", "client", "kind", "authorization_id", "created_at", "due_at", "sent_at", "attempts")
    find = {"SecurityEvent": "pk", "Client": "client__client_id", "Consent": "authorization_id"}
