"""Which service may export which group: who says so, and when it holds."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.utils import timezone

from accounts.models import Patient
from audit.models import AuditEvent
from consent import directives
from consent.decision import ProvisionType
from exports.bulk import approvals, groups
from exports.bulk.approvals import NotNow
from exports.models import Group, GroupApproval
from tests import factories
from tests.exports.bulk.service import Service, a_group, an_administrator, approved

pytestmark = pytest.mark.django_db


@pytest.fixture
def service():
    return Service()


def test_a_service_gets_tokens_once_it_is_approved_for_a_group_and_none_after_the_end(service):
    group = a_group(factories.alice())
    assert not service.client.is_approved_service

    approval = approved(service, group)
    assert (service.client.is_approved_service, service.client.groups) == (True, [group.pk])
    assert approvals.of_client(service.client) == [approval]

    approvals.end(approval, by=an_administrator())
    service.client.refresh_from_db()
    assert (service.client.is_approved_service, approvals.of_client(service.client)) == (False, [])


def test_every_change_is_an_event(service):
    administrator = an_administrator()
    group = a_group(factories.alice(), by=administrator)
    approval = approved(service, group, by=administrator)
    approvals.remove(group, [factories.mallory()], by=administrator)
    approvals.close(group, by=administrator)

    found = AuditEvent.objects.filter(target="Group/diabetes-2026").order_by("id")
    assert [event.detail["change"] for event in found] == [
        "define",
        "add",
        "approve",
        "remove",
        "close",
        "end",
    ]
    assert {event.actor for event in found} == {f"User/{administrator.pk}"}
    assert found[2].detail["purpose"] == "HOPERAT"
    approval.refresh_from_db()
    assert approval.ended_by == administrator


def test_of_a_large_group_the_approval_waits_for_another_person(service, settings):
    settings.BULK_SECOND_PERSON_OVER = 1
    first, other = an_administrator(), an_administrator("Bea Min")
    group = a_group(factories.alice(), factories.mallory(), by=first)
    approval = approved(service, group, by=first)

    assert (approvals.why_not(approval), service.client.is_approved_service) == ("approval.second", False)
    with pytest.raises(NotNow):
        approvals.second(approval, by=first)

    approval = approvals.second(approval, by=other)
    assert approvals.why_not(GroupApproval.objects.get(pk=approval.pk)) == ""
    with pytest.raises(NotNow):
        approvals.second(approval, by=an_administrator("Cy Min"))


def test_a_group_that_grows_large_waits_again(service, settings):
    settings.BULK_SECOND_PERSON_OVER = 1
    group = a_group(factories.alice())
    approval = approved(service, group)
    assert approvals.why_not(approval) == ""

    approvals.add(group, [factories.mallory()], by=an_administrator())
    assert approvals.why_not(approval) == "approval.second"


def test_the_database_has_no_second_person_who_is_the_first(service):
    approval = approved(service, a_group(factories.alice()))
    with pytest.raises(IntegrityError):
        GroupApproval.objects.filter(pk=approval.pk).update(
            seconded_by=approval.approved_by, seconded_at=timezone.now()
        )


def test_what_cannot_be_approved_says_why(service):
    administrator, group = an_administrator(), a_group(factories.alice())
    approved(service, group)

    with pytest.raises(NotNow, match="already"):
        approvals.approve(group, service.client, purpose="HOPERAT", by=administrator)
    with pytest.raises(NotNow, match="purpose"):
        approvals.approve(group, Service("Other").client, purpose="PATRQT", by=administrator)
    with pytest.raises(NotNow, match="no backend service"):
        approvals.approve(group, factories.acme_client(), purpose="HOPERAT", by=administrator)
    with pytest.raises(NotNow, match="id"):
        approvals.define(id="diabetes-2026", name="Again", by=administrator)
    with pytest.raises(NotNow, match="letters"):
        approvals.define(id="a/b", name="Again", by=administrator)


def test_a_rule_finds_who_is_there_now():
    alice, tom = factories.alice(), factories.tom()
    adults = timezone.localdate() - timedelta(days=18 * 366)
    by = an_administrator()
    everybody = approvals.define(id="all", name="All", kind=Group.Kind.RULE, by=by)
    grown = approvals.define(id="grown", name="Grown", kind=Group.Kind.RULE, born_until=adults, by=by)
    none = approvals.define(
        id="old", name="Old", kind=Group.Kind.RULE, born_until=date(1900, 1, 1), source="nowhere", by=by
    )

    assert set(groups.members(everybody)) == {alice, tom}
    assert list(groups.members(grown)) == [alice]
    assert list(groups.members(none)) == []
    with pytest.raises(NotNow):
        approvals.add(everybody, [alice], by=by)


def test_of_a_merged_record_the_one_that_is_left_is_a_member():
    kept, gone = factories.create_patient("Kept One"), factories.create_patient("Gone One", signs_in=False)
    group = a_group(gone)
    Patient.objects.filter(pk=gone.pk).update(merged_into=kept)

    assert list(groups.members(group)) == [kept]


def test_a_site_says_which_uses_are_an_opt_in(settings):
    directives.directives.cache_clear()
    settings.DIRECTIVE_DEFAULTS = {"operations": "deny", "research": "permit"}
    try:
        found = directives.directives()
        assert found["operations"].default is ProvisionType.DENY
        assert found["research"].default is ProvisionType.PERMIT
        assert found["treatment"].default is ProvisionType.PERMIT
        for wrong in ({"operations": "maybe"}, {"marketing": "permit"}):
            directives.directives.cache_clear()
            settings.DIRECTIVE_DEFAULTS = wrong
            with pytest.raises(ImproperlyConfigured):
                directives.directives()
    finally:
        directives.directives.cache_clear()
