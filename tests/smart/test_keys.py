"""Keys of clients from addresses of their own choice: what is fetched, and what never is (A8)."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler

import pytest

from smart import keys
from smart.keys import Fetcher, Unfetched
from smart.models import KeySet
from tests import factories
from tests.smart.signing import asserted, ec, public
from tests.smart.site import HOST, Site

KEY = ec()
KEYS = json.dumps(public(KEY)).encode()


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    site = Site(tmp_path, KEYS)
    thread = threading.Thread(target=site.server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


@pytest.mark.parametrize(
    "ip",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1"),
    ],
)
def test_A8_no_address_of_ours_is_public(ip):
    assert not keys.is_public(ip)
    with pytest.raises(Unfetched):
        Fetcher(resolve=lambda _host, _port: [ip]).get("https://keys.acme.example/")


@pytest.mark.parametrize("ip", ["93.184.215.14", "2606:4700::1111"])
def test_addresses_of_the_open_internet_are_public(ip):
    assert keys.is_public(ip)


@pytest.mark.parametrize(
    "url",
    [
        "http://keys.acme.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://localhost/",
        "https://user@keys.acme.example/",
        "file:///etc/passwd",
        "gopher://keys.acme.example/",
        "https:///keys",
        "https://keys.acme.example:99999/",
        "https://keys.acme.example/\r\nX: y",
        "https://[keys/",
    ],
)
def test_A8_what_is_no_address_for_keys(url):
    with pytest.raises(Unfetched):
        Fetcher().get(url)


def test_A8_one_private_address_among_public_ones_is_enough():
    mixed = Fetcher(resolve=lambda _host, _port: ["93.184.215.14", "127.0.0.1"])

    with pytest.raises(Unfetched):
        mixed.get("https://keys.acme.example/")


def test_A8_a_name_that_changes_its_address_is_asked_once(site):
    """DNS rebinding: what was checked is what is called."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    body, _ = site.fetcher(resolve=lambda _host, _port: next(answers)).get(site.url)

    assert json.loads(body) == public(KEY)
    assert next(answers) == ["10.0.0.1"]


def test_A8_a_redirect_leads_nowhere(site):
    site.answer = lambda handler: site.send(handler, b"", 302, Location="https://169.254.169.254/")

    with pytest.raises(Unfetched):
        site.fetcher().get(site.url)
    assert site.asked == 1


def test_A8_a_certificate_of_another_is_refused(site):
    with pytest.raises(Unfetched):
        site.fetcher().get(site.url.replace(HOST, "other.example"))
    with pytest.raises(Unfetched):
        site.fetcher(ca_certs=None).get(site.url)


def test_A8_ten_megabytes_are_not_read(site):
    def much(handler: BaseHTTPRequestHandler) -> None:
        try:
            site.send(handler, b" " * 10_000_000)
        except OSError:
            return

    site.answer = much

    with pytest.raises(Unfetched):
        site.fetcher().get(site.url)


def test_A8_a_server_that_drips_is_left(site):
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        try:
            while not over.wait(0.1):
                handler.wfile.write(b"H")
        except OSError:
            return

    site.answer = drip
    try:
        with pytest.raises(Unfetched):
            site.fetcher(deadline=0.5).get(site.url)
    finally:
        over.set()


# What is kept


@pytest.fixture
def acme(db, site, monkeypatch):
    monkeypatch.setattr(keys, "FETCHER", site.fetcher())
    return factories.acme_client(client_type="confidential", jwks_uri=site.url)


def later(**ago: int) -> None:
    """As if it had been read so long ago."""
    before = timedelta(**ago)
    for kept in KeySet.objects.all():
        KeySet.objects.filter(pk=kept.pk).update(
            fetched_at=kept.fetched_at - before,
            fresh_until=kept.fresh_until - before,
            tried_at=kept.tried_at - before,
        )


def test_keys_are_read_once_while_they_are_fresh(acme, site):
    site.answer = lambda handler: site.send(handler, KEYS, Cache_Control="public, max-age=3600")

    keys.refresh(acme)
    later(minutes=59)
    keys.refresh(acme)
    assert site.asked == 1

    later(minutes=2)
    keys.refresh(acme)
    assert site.asked == 2


def test_a_kid_that_is_not_known_is_looked_for_but_not_each_time(acme, site):
    keys.refresh(acme)
    for _ in range(5):
        keys.refresh(acme, "made-up")
    assert site.asked == 1

    later(seconds=31)
    keys.refresh(acme, "made-up")
    assert site.asked == 2


def test_keys_hold_for_a_day_while_their_address_fails(acme, site):
    keys.refresh(acme)
    site.answer = lambda handler: site.send(handler, b"", 500)

    later(hours=23)
    keys.refresh(acme)
    assert keys.keys_of(acme) == public(KEY)["keys"]

    later(hours=2)
    keys.refresh(acme)
    assert keys.keys_of(acme) == []


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"keys": 5}', b"[" * 60000, b"\xff"])
def test_what_is_no_key_set_takes_the_place_of_none(acme, site, body):
    keys.refresh(acme)
    later(hours=1)
    site.answer = lambda handler: site.send(handler, body)

    keys.refresh(acme)

    assert keys.keys_of(acme) == public(KEY)["keys"]


def test_a_client_whose_keys_are_elsewhere_proves_itself(acme, client, site):
    sent = {"grant_type": "authorization_code", "code": "made-up", "code_verifier": "x" * 43}
    answer = client.post("/o/token/", sent | asserted(KEY, acme.client_id))
    assert answer.json()["error"] == "invalid_grant"

    later(seconds=31)
    new = ec("key-2")
    site.answer = lambda handler: site.send(handler, json.dumps(public(new)).encode())
    assert client.post("/o/token/", sent | asserted(new, acme.client_id)).json()["error"] == "invalid_grant"
    assert client.post("/o/token/", sent | asserted(KEY, acme.client_id)).json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("no-store", 0),
        ("max-age=600, no-cache", 0),
        ('private, NO-CACHE="set-cookie"', 0),
        ("max-age=0", 0),
        ("max-age=5", 5),
        ("public, max-age=600", 600),
        ("max-age=99999999", 86400),
    ],
)
def test_how_long_an_answer_is_kept(said, seconds):
    assert keys.lifetime_of(said) == timedelta(seconds=seconds)


@pytest.mark.parametrize("said", ["", "public", "s-maxage=7", "max-age=soon"])
def test_an_answer_that_names_no_time(said):
    assert keys.lifetime_of(said) is None


@pytest.mark.parametrize(("said", "kept_for"), [("no-store", 0), ("max-age=5", 5), ("max-age=600", 600)])
def test_341_keys_are_kept_no_longer_than_their_server_says(acme, site, said, kept_for):
    site.answer = lambda handler: site.send(handler, KEYS, Cache_Control=said)
    keys.refresh(acme)
    new = json.dumps(public(ec("key-2"))).encode()
    site.answer = lambda handler: site.send(handler, new, Cache_Control=said)

    later(seconds=kept_for - 2 if kept_for else 0)
    keys.refresh(acme)
    assert [key["kid"] for key in keys.keys_of(acme)] == ["key-1"]

    later(seconds=3)
    keys.refresh(acme)
    assert [key["kid"] for key in keys.keys_of(acme)] == ["key-2"]


@pytest.mark.parametrize("said", ["no-store", "max-age=5"])
def test_341_an_address_that_fails_keeps_no_keys_alive_beyond_that(acme, site, said):
    site.answer = lambda handler: site.send(handler, KEYS, Cache_Control=said)
    keys.refresh(acme)
    site.answer = lambda handler: site.send(handler, b"", 500)

    later(seconds=6)
    keys.refresh(acme)
    assert keys.keys_of(acme) == []

    keys.refresh(acme)
    assert site.asked == 2  # a server that fails is left alone for a while
