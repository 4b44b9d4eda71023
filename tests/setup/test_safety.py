import pytest

from config.safety import UnsafeStart, refuse_unsafe_start
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def production(settings):
    settings.DEMO, settings.SECURE = False, True
    settings.SECRET_KEY = "k" * 60
    return settings


def test_A27_production_with_real_keys_starts(production):
    refuse_unsafe_start()


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("SECRET_KEY", "demo-" + "k" * 60, "SECRET_KEY"),
        ("SECRET_KEY", "short", "SECRET_KEY"),
        ("DEBUG", True, "DEBUG"),
        ("SECURE", False, "https"),
    ],
)
def test_A27_production_refuses_what_belongs_to_the_demo(production, name, value, word):
    setattr(production, name, value)
    with pytest.raises(UnsafeStart, match=word):
        refuse_unsafe_start()


def test_A27_production_refuses_demo_log_ins(production):
    factories.create_user("Dana Demo")
    with pytest.raises(UnsafeStart, match="demo log-ins"):
        refuse_unsafe_start()
