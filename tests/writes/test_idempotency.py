"""A25, P14: one key is one change, however often and however many at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection

from fhirproxy import upstream
from fhirproxy.models import WriteCommand
from fhirproxy.writes import dispatch
from tests import factories
from tests.writes.conftest import answers, command_of, in_chart, let_in

pytestmark = pytest.mark.django_db
AT_ONCE = 50


def test_A25_the_same_key_and_body_gets_the_same_answer(app, reading):
    resource = reading()
    first, second = (app.post(resource, idempotency_key="k-1") for _ in range(2))

    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.headers["Content-Location"] == second.headers["Content-Location"]
    assert (first.get("Idempotency-Replayed"), second["Idempotency-Replayed"]) == (None, "true")
    assert WriteCommand.objects.get().has_key


def test_A25_the_first_answer_is_given_after_it_has_moved_on(app, alice, reading):
    resource = reading()
    first = app.post(resource, idempotency_key="k-1")
    app.send("DELETE", first.headers["Content-Location"].rpartition("/r4/")[2])

    assert app.post(resource, idempotency_key="k-1").content == first.content


def test_A25_what_stands_in_another_order_is_the_same_body(app, reading):
    resource = reading()
    app.post(resource, idempotency_key="k-1")
    turned = dict(reversed(resource.items()))

    assert app.post(turned, idempotency_key='"k-1"').status_code == 202
    assert WriteCommand.objects.count() == 1


def test_A25_another_body_is_refused(app, reading):
    app.post(reading(), idempotency_key="k-1")
    response = app.post(reading(systolic=140), idempotency_key="k-1")

    assert response.status_code == 422
    assert WriteCommand.objects.count() == 1


def test_A25_a_key_is_one_clients_for_one_patient(app, alice, reading):
    other, mallory = let_in(alice), factories.mallory()
    resource = reading()
    theirs = resource | {
        element: json.loads(
            json.dumps(resource[element]).replace(factories.fhir_id(alice), factories.fhir_id(mallory))
        )
        for element in ("subject", "performer")
    }

    sent = [app.post(resource, idempotency_key="k"), other.post(resource, idempotency_key="k")]
    sent.append(let_in(mallory).post(theirs, idempotency_key="k"))

    assert [response.status_code for response in sent] == [202, 202, 202]
    assert len({response.headers["Content-Location"] for response in sent}) == 3


def test_two_without_a_key_are_two(app, reading):
    resource = reading()

    assert app.post(resource).headers["Content-Location"] != app.post(resource).headers["Content-Location"]


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256])
def test_a_key_that_is_none_is_refused(app, reading, key):
    response = app.post(reading(), idempotency_key=key)

    assert response.status_code == (400 if key else 202)


def test_A25_what_is_on_its_way_is_asked_for_again_in_a_second(app, alice, monkeypatch):
    """The EHR has not answered the first when the second comes."""
    form, send = answers(alice), upstream.Embedded.send
    seconds = []

    def slow(self, request):
        if request.method == "POST" and not seconds:
            seconds.append(None)
            seconds[0] = app.post(form, idempotency_key="k-1")
        return send(self, request)

    monkeypatch.setattr(upstream.Embedded, "send", slow)
    first = app.post(form, idempotency_key="k-1")

    assert (seconds[0].status_code, seconds[0].headers["Retry-After"]) == (409, "1")
    assert first.status_code == 201
    assert app.post(form, idempotency_key="k-1").headers["Location"] == first.headers["Location"]
    assert len(in_chart(alice, "QuestionnaireResponse")) == 1


def test_A25_a_crash_between_the_write_and_its_record_is_found_out(app, alice, monkeypatch):
    form = answers(alice)
    with monkeypatch.context() as patch:
        patch.setattr(dispatch, "_judge", lambda command, answer: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            app.post(form, idempotency_key="k-1")
    assert len(in_chart(alice, "QuestionnaireResponse")) == 1
    assert app.post(form, idempotency_key="k-1").status_code == 409

    command = WriteCommand.objects.get()
    dispatch._finish(command, "unknown", reason="ehr.no-answer")  # as the sweep does after a minute
    assert dispatch.reconcile(command.id).status == "applied"
    assert app.post(form, idempotency_key="k-1").status_code == 201
    assert len(in_chart(alice, "QuestionnaireResponse")) == 1


def _closing(act):
    try:
        return act()
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_A25_P14_fifty_at_once_write_once_and_get_fifty_equal_answers(app, alice, reading):
    send = partial(app.post, reading(), idempotency_key="k-1")

    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda _: _closing(send), range(AT_ONCE)))

    assert {(r.status_code, r.content, r.headers["Content-Location"]) for r in sent} == {
        (202, sent[0].content, sent[0].headers["Content-Location"])
    }
    assert command_of(sent[0]).events.count() == 3
    assert WriteCommand.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_A25_P14_fifty_at_once_of_what_is_written_right_away(app, alice):
    """Whoever meets it on its way is told to come again; all who get an answer get the same."""
    send = partial(app.post, answers(alice), idempotency_key="k-1")

    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda _: _closing(send), range(AT_ONCE)))

    assert {response.status_code for response in sent} <= {201, 409}
    assert len({response.headers["Location"] for response in sent if response.status_code == 201}) == 1
    assert len(in_chart(alice, "QuestionnaireResponse")) == 1
    assert send().status_code == 201
