import threading

import pytest

from exports.push import sending
from tests.exports.bulk.conftest import _folder, alice, mallory, service, start
from tests.exports.bulk.service import an_administrator
from tests.exports.push.place import Place
from tests.smart.site import HOST

__all__ = ["_folder", "alice", "mallory", "service", "start"]  # fixtures


@pytest.fixture
def place(tmp_path, settings, monkeypatch):
    """A destination that the operators let files be sent to, found on loopback."""
    place = Place(tmp_path)
    thread = threading.Thread(target=place.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    settings.EXPORT_PUSH_HOSTS = [HOST]
    monkeypatch.setattr(sending, "SENDER", place.fetcher(deadline=10.0))
    yield place
    place.server.shutdown()
    thread.join()
    place.server.server_close()


@pytest.fixture
def ada(db):
    return an_administrator("Ada Lund")


@pytest.fixture
def destination(place, service, ada):
    return place.proven(service.client, ada)
