import os

import pytest
from django.conf import settings

from tests.setup.installed import Installation, install


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Made once for each of xdist's workers, afresh in each run."""
    return install(
        settings.DATABASES["default"]["HOST"],
        f"installed_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}",
        settings.REDIS_URL,
        settings.CELERY_BROKER_URL,
        tmp_path_factory.mktemp("installed"),
    )
