"""Who can see the records: the page of everyone, the page of one item, counts, and every change to them."""

from datetime import timedelta
from itertools import product

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import Patient
from audit.models import AuditEvent
from consent import commands, fhir
from consent.decision import Decision, Reason
from consent.directives import directives
from consent.explain import Kind, Viewer
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import ACT_CODE, Category, Purpose
from portal import limits, viewers
from smart.models import AuthorizationRequest
from tests import factories
from tests.portal.ehr import ALL, failing

pytestmark = pytest.mark.django_db

Status = Consent.Status
SUD = {"security": [{"system": ACT_CODE, "code": "SUD"}]}
SCOPE = "patient/Observation.rs patient/Patient.rs"
BOTH = (True, False)
HTMX = {"HX-Request": "true"}


@pytest.fixture
def alice(client) -> Patient:
    patient = factories.alice()
    factories.load_records(factories.lab_result(patient, "private-lab", meta=SUD))
    client.force_login(patient.user)
    return patient


def act(patient: Patient) -> Act:
    return Act(by=patient.user, channel="portal", text_shown="Yes", language="en")


def propose(patient: Patient, by: Patient | None = None) -> Consent:
    now = timezone.now()
    terms = fhir.Terms(categories=[Category.IMAGING], start=now, until=now + timedelta(days=30))
    said = {"provision": fhir.permit(terms, {"reference": "Practitioner/hart", "display": "Dr. Lena Hart"})}
    return commands.record_resource(
        said,
        patient=patient,
        act=act(by or patient),
        whom={"recipient": "Practitioner/hart"},
        kind="share",
        propose=True,
    )


def helper_of(patient: Patient) -> Consent:
    return commands.let_help(
        relation=factories.helps(factories.create_user("Amir Moreno"), patient, "SPS"),
        categories=[Category.MEDICINES],
        labels=[],
        until=timezone.now() + timedelta(days=30),
        act=act(patient),
    )


def limit_of(patient: Patient) -> Consent:
    provision = {"type": "deny", "purpose": [{"system": fhir.ACT_REASON, "code": Purpose.HPAYMT}]}
    return commands.ask_restriction(patient=patient, provision=provision, act=act(patient))


def post(client, name: str, *args: object, **data: str) -> str:
    return client.post(reverse(f"portal:{name}", args=args), data, follow=True).text


def refreshed(consent: Consent) -> Consent:
    return Consent.objects.get(pk=consent.pk)


# The page of everyone


def test_a_patient_who_shares_with_nobody_sees_the_usual_rules_and_no_pause(alice, client):
    page = client.get(reverse("portal:sharing")).text

    assert "not sharing with any apps" in page
    assert "Doctors and nurses who treat you see your records." in page
    assert "Nobody sees this unless you say yes." in page  # research
    assert "Pause all sharing" not in page


def test_everyone_who_can_see_something_stands_on_the_page(alice, client):
    app, helper = factories.create_consent(alice), helper_of(alice)
    page = client.get(reverse("portal:sharing")).text

    assert reverse("portal:app", args=[app.pk]) in page
    assert reverse("portal:share", args=[helper.pk]) in page
    assert "You share with <bdi>Acme</bdi> until" in page
    assert "You share with <bdi>Amir Moreno</bdi> until" in page


def test_home_leads_there_and_says_what_waits(alice, client):
    propose(alice)
    helper_of(alice)
    page = client.get("/").text

    assert f'href="{reverse("portal:sharing")}"' in page
    assert "1 request waits for your answer." in page
    assert "Amir Moreno" in page


def test_a_name_is_only_text(alice, client):
    hostile = factories.acme_client(name="<script>alert(1)</script>")
    factories.create_consent(alice, hostile)

    assert "<script>alert" not in client.get(reverse("portal:sharing")).text


def test_a_recipient_is_called_by_the_name_that_the_ehr_has(alice, client):
    heart = {"resourceType": "Organization", "id": "heart", "name": "Heart Clinic"}
    factories.load_records(heart)
    terms = {"categories": [Category.IMAGING], "labels": [], "until": timezone.now() + timedelta(days=9)}
    commands.share(patient=alice, recipient="Organization/heart", act=act(alice), **terms)

    assert "Heart Clinic" in client.get(reverse("portal:sharing")).text


def test_an_ehr_that_is_down_costs_names_only(alice, client, settings):
    terms = {"categories": [Category.IMAGING], "labels": [], "until": timezone.now() + timedelta(days=9)}
    commands.share(patient=alice, recipient="Organization/heart", act=act(alice), **terms)
    with failing(settings, *ALL):
        page = client.get(reverse("portal:sharing"))

    assert page.status_code == 200
    assert "Someone whose name we do not know" in page.text


# Pause and start again


def test_a_pause_stops_everyone_and_is_undone(alice, client):
    app, helper = factories.create_consent(alice), helper_of(alice)
    paused = post(client, "sharing-pause")
    states = {refreshed(app).status, refreshed(helper).status}
    resumed = post(client, "sharing-resume")

    assert states == {Status.PAUSED}
    assert "All sharing is paused. You can start it again on this page." in paused
    assert "Start sharing again" in paused
    assert "Sharing is on again, as it was before." in resumed
    assert {refreshed(app).status, refreshed(helper).status} == {Status.ACTIVE}


def test_what_was_read_before_a_pause_is_kept_with_it(alice, client):
    consent = factories.create_consent(alice)
    post(client, "sharing-pause")
    version = refreshed(consent).current

    assert "This does not delete what they already have." in version.text_shown
    assert (version.text_language, version.channel, version.made_by) == ("en", "portal", alice.user)


def test_an_app_that_is_paused_says_so_and_can_still_be_stopped(alice, client):
    consent = factories.create_consent(alice)
    post(client, "sharing-pause")
    page = client.get(reverse("portal:app", args=[consent.pk])).text
    counted = client.get(reverse("portal:app-sees", args=[consent.pk])).text
    stopped = post(client, "app-stop", consent.pk)

    assert "This app sees nothing until you start again." in page
    assert "because you paused all sharing" in counted
    assert "lost access at" in stopped


def test_a_clinic_that_is_paused_still_sees_what_a_care_team_sees(alice, client):
    terms = {"categories": [Category.IMAGING], "labels": [], "until": timezone.now() + timedelta(days=9)}
    commands.share(patient=alice, recipient="Organization/heart", act=act(alice), **terms)

    assert "If they treat you, they see what your care team sees." in post(client, "sharing-pause")


# Uses that hold by default


def test_a_no_is_told_back_and_undone(alice, client):
    said = post(client, "sharing-use", "payment", do="no")
    choice = alice.consents.get(kind="preference")
    undone = post(client, "sharing-use", "payment", do="undo")

    assert "Paying for your care: you said no. You can undo this here." in said
    assert "Your health plan may then not pay." in choice.current.text_shown
    assert "the usual rule holds again" in undone
    assert refreshed(choice).status == Status.INACTIVE


def test_a_yes_opens_what_is_closed_by_default(alice, client):
    closed = client.get(reverse("portal:sharing-use", args=["research"])).text
    opened = post(client, "sharing-use", "research", do="yes")

    assert "Say yes to this" in closed
    assert "You said yes to this." in opened
    assert "The usual rule is no." in opened


@pytest.mark.parametrize("directive", sorted(directives()))
def test_every_use_has_a_page_with_words_of_its_own(alice, client, directive):
    page = client.get(reverse("portal:sharing-use", args=[directive]))

    assert page.status_code == 200
    assert str(viewers.USES[directive].what) in page.text


def test_a_use_that_is_not_is_not_there(alice, client):
    assert client.get(reverse("portal:sharing-use", args=["nonsense"])).status_code == 404


# What waits for an answer


@pytest.mark.parametrize(
    ("do", "status", "words"),
    [("agree", Status.ACTIVE, "You agreed."), ("decline", Status.REJECTED, "You said no.")],
)
def test_a_proposal_is_answered(alice, client, do, status, words):
    proposed = propose(alice)
    page = client.get(reverse("portal:sharing")).text
    told = post(client, "sharing-answer", proposed.pk, do=do)

    assert "Dr. Lena Hart" in page
    assert "Scans and X-rays" in page
    assert words in told
    assert refreshed(proposed).status == status
    assert "Scans and X-rays" in refreshed(proposed).current.text_shown


def test_an_answer_counts_once(alice, client):
    proposed = propose(alice)
    post(client, "sharing-answer", proposed.pk, do="decline")
    told = post(client, "sharing-answer", proposed.pk, do="agree")

    assert "This was answered before. Nothing changed." in told
    assert refreshed(proposed).status == Status.REJECTED


def test_neither_yes_nor_no_is_no_answer(alice, client):
    proposed = propose(alice)
    post(client, "sharing-answer", proposed.pk, do="")

    assert refreshed(proposed).status == Status.PROPOSED


def test_nobody_answers_their_own_limit(alice, client):
    limit = limit_of(alice)

    assert client.post(reverse("portal:sharing-answer", args=[limit.pk]), {"do": "agree"}).status_code == 404
    assert refreshed(limit).status == Status.PROPOSED


# Limits


def test_a_limit_is_asked_for_waits_and_is_taken_back(alice, client):
    asked = post(client, "sharing-limit", what="choose", categories="imaging", whom="plan")
    limit = alice.consents.get(kind="restriction")
    back = post(client, "sharing-stop", limit.pk)

    assert "We sent this to your clinic." in asked
    assert "Your clinic has not answered yet." in asked
    assert "Scans and X-rays" in asked
    assert limit.status == Status.PROPOSED
    assert "Your clinic answers. It can say no." in limit.current.text_shown
    assert "You took your limit back." in back
    assert refreshed(limit).status == Status.INACTIVE


def test_the_same_limit_is_asked_for_once(alice, client):
    for _ in range(2):
        told = post(client, "sharing-limit", what="all", whom="everyone")

    assert "You asked for this before." in told
    assert alice.consents.filter(kind="restriction").count() == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "Choose what to keep back."),
        ({"what": "choose", "whom": "plan"}, "Choose at least one kind of record."),
        ({"what": "all", "whom": "nobody"}, "is not one of the available choices"),
    ],
)
def test_a_limit_that_says_too_little_is_asked_about_again(alice, client, data, words):
    page = client.post(reverse("portal:sharing-limit"), data)

    assert page.status_code == 422
    assert words in page.text
    assert not alice.consents.exists()


def test_no_limit_closes_the_record_in_an_emergency():
    purposes = frozenset().union(*(these for _, these in limits.WHOM.values()))

    assert purposes == frozenset(Purpose) - limits.EMERGENCY


@pytest.mark.parametrize("whom", sorted(limits.WHOM))
def test_a_limit_is_told_back_in_the_words_it_was_asked_in(alice, client, whom):
    post(client, "sharing-limit", what="all", whom=whom)
    limit = alice.consents.get(kind="restriction")

    assert limits.whom_of(limit) == [limits.WHOM[whom][0]]
    assert [str(kind) for kind in limits.what_of(limit)] == ["All your records"]


# One sharing with a person or a clinic


def test_a_helper_is_stopped_on_their_page(alice, client):
    helper = helper_of(alice)
    page = client.get(reverse("portal:share", args=[helper.pk])).text
    stopped = post(client, "sharing-stop", helper.pk)

    assert "Stop sharing with <bdi>Amir Moreno</bdi>" in page
    assert "You stopped sharing with Amir Moreno." in stopped
    assert refreshed(helper).status == Status.INACTIVE


@pytest.mark.parametrize("name", ["sharing-pause", "sharing-resume", "sharing-stop", "sharing-answer"])
def test_changes_take_a_post(alice, client, name):
    args = [helper_of(alice).pk] if name in ("sharing-stop", "sharing-answer") else []

    assert client.get(reverse(f"portal:{name}", args=args)).status_code == 405


@pytest.mark.parametrize("name", ["share", "sharing-stop", "sharing-answer"])
def test_A9_the_sharing_of_another_patient_does_not_exist(alice, client, name):
    mallory = factories.mallory()
    theirs = propose(mallory) if name == "sharing-answer" else helper_of(mallory)
    address = reverse(f"portal:{name}", args=[theirs.pk])
    answer = client.get(address) if name == "share" else client.post(address, {"do": "agree"})

    assert answer.status_code == 404
    assert refreshed(theirs).current_number == 1


# One item


def test_an_item_says_who_can_see_it_and_why(alice, client):
    factories.create_consent(alice)
    address = reverse("portal:who", args=["Observation", f"{factories.fhir_id(alice)}-ldl"])
    page = client.get(address).text

    assert "Kind of record: Test results." in page
    assert "You shared this with <bdi>Acme</bdi> until" in page
    assert "You can always see your own records." in page


def test_a_private_item_says_what_it_is_about_and_who_does_not_see_it(alice, client):
    factories.create_consent(alice)
    page = client.get(reverse("portal:who", args=["Observation", "private-lab"])).text

    assert "It is private: Alcohol and drug use." in page
    assert "This is private and needs a clear yes from you." in page


def test_the_page_of_an_item_leads_there(alice, client):
    item = f"{factories.fhir_id(alice)}-ldl"
    page = client.get(reverse("portal:result", args=[item])).text
    part = client.get(reverse("portal:who", args=["Observation", item]), headers=HTMX).text

    assert reverse("portal:who", args=["Observation", item]) in page
    assert "<html" not in part
    assert "Who can see this?" in part


@pytest.mark.parametrize(
    ("kind", "id"),
    [("Observation", "no-such"), ("Practitioner", "dr-osei"), ("Nonsense", "1"), ("Observation", "a b")],
)
def test_what_is_not_in_the_record_has_no_such_page(alice, client, kind, id):
    assert client.get(reverse("portal:who", args=[kind, id])).status_code == 404


def test_A9_the_item_of_another_patient_has_no_such_page(alice, client):
    theirs = f"{factories.fhir_id(factories.mallory())}-ldl"

    assert client.get(reverse("portal:who", args=["Observation", theirs])).status_code == 404


def test_an_item_whose_source_is_down_says_so(alice, client, settings):
    with failing(settings, *ALL):
        page = client.get(reverse("portal:who", args=["Observation", "private-lab"]))

    assert page.status_code == 503
    assert "We could not get your records" in page.text


# What an app sees


def test_the_page_of_an_app_leaves_the_counting_for_later(alice, client):
    consent = factories.create_consent(alice)
    page = client.get(reverse("portal:app", args=[consent.pk])).text

    assert "What this app can see now" in page
    assert f'hx-get="{reverse("portal:app-sees", args=[consent.pk])}"' in page
    assert not AuditEvent.objects.filter(type="record:preview").exists()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_what_an_app_sees_is_counted_and_what_stays_hidden(alice, client, headers):
    consent = factories.create_consent(alice)
    page = client.get(reverse("portal:app-sees", args=[consent.pk]), headers=headers).text

    assert ("<html" in page) is not bool(headers)
    assert '<th scope="row">Test results</th><td class="n">1</td>' in page
    assert "1 private item stays hidden." in page
    assert '<th scope="row">Alcohol and drug use</th><td class="n">1</td>' in page


def test_counting_that_fails_says_so_and_the_page_of_the_app_stands(alice, client, settings):
    consent = factories.create_consent(alice)
    with failing(settings, *ALL):
        counted = client.get(reverse("portal:app-sees", args=[consent.pk]))
        page = client.get(reverse("portal:app", args=[consent.pk]))

    assert (counted.status_code, page.status_code) == (503, 200)
    assert "We could not count just now." in counted.text


def test_A9_the_counts_of_another_patient_do_not_exist(alice, client):
    theirs = factories.create_consent(factories.mallory())

    assert client.get(reverse("portal:app-sees", args=[theirs.pk])).status_code == 404


@pytest.fixture
def question(alice) -> str:
    """The address where an app waits for Alice's answer."""
    names = ("redirect_uri", "state", "code_challenge", "nonce", "prompt", "max_age")
    kept = dict.fromkeys(names) | {"redirect_uri": "http://127.0.0.1:8001/callback", "state": "s"}
    kept |= {"code_challenge": "c" * 43, "scope": SCOPE}
    asked = AuthorizationRequest.objects.create(client=factories.acme_client(), parameters=kept)
    return reverse("portal:authorize-answer", args=[asked.pk])


def test_before_an_answer_the_page_counts_nothing_by_itself(question, client):
    page = client.get(question).text

    assert "Choose what to share first. Then we count it for you." in page
    assert "Show what it would see" in page
    assert not AuditEvent.objects.filter(type="record:preview").exists()


def test_what_is_ticked_is_counted_and_nothing_is_shared(alice, question, client):
    ticked = {"do": "preview", "what": "choose", "categories": "test-results", "days": "30"}
    part = client.post(question, ticked, headers=HTMX)
    with_topic = client.post(question, ticked | {"topics": "substance-use"}, headers=HTMX)

    assert "<html" not in part.text
    assert '<th scope="row">Test results</th><td class="n">1</td>' in part.text
    assert "1 private item stays hidden." in part.text
    assert '<th scope="row">Test results</th><td class="n">2</td>' in with_topic.text
    assert not alice.consents.exists()
    assert AuthorizationRequest.objects.get().answered_at is None


def test_without_script_the_page_comes_back_with_the_counts_and_what_was_ticked(alice, question, client):
    ticked = {"do": "preview", "what": "all", "days": "365"}
    page = client.post(question, ticked)

    assert page.status_code == 200
    assert '<th scope="row">Test results</th><td class="n">1</td>' in page.text
    assert (page.context["form"]["what"].value(), page.context["form"]["days"].value()) == ("all", "365")
    assert not alice.consents.exists()


def test_nothing_ticked_is_nothing_counted(question, client):
    part = client.post(question, {"do": "preview", "days": "30"}, headers=HTMX)

    assert "Choose what to share first." in part.text
    assert not AuditEvent.objects.filter(type="record:preview").exists()


def test_an_answer_after_a_count_is_the_answer_to_that_page(alice, question, client):
    page = client.post(question, {"do": "preview", "what": "all", "days": "30"})
    shown = page.text.split('name="shown" value="')[1].split('"')[0]
    client.post(question, {"do": "share", "what": "all", "days": "30", "shown": shown})

    assert "1 private item stays hidden." in alice.consents.get().current.text_shown


# Words


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", Kind)
def test_every_answer_has_a_sentence(kind, language):
    consent = Consent(kind="share", recipient="Organization/1", period_end=timezone.now())
    decisions = [
        Decision(True, ()),
        Decision(True, (), ("default-x",)),
        *(Decision(False, (r,)) for r in Reason),
    ]
    with translation.override(language):
        for decision, chosen, whole, paused in product(decisions, (None, True, False), BOTH, BOTH):
            viewer = Viewer(
                kind=kind, reference="x", name="Ann", decision=decision, consent=consent, chosen=chosen
            )
            said = viewers._why(viewer, "Ann", whole=whole, paused=paused)
            assert said.endswith(".")
            assert "{" not in said
