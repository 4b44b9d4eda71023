"""README.txt in the archive, for whoever opens it."""

import pytest

from tests import factories
from tests.exports.making import kickoff, made, package

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Keep these files safe."), ("es", "Guarde bien estos archivos.")],
)
def test_the_archive_says_in_the_persons_language_what_is_in_it(settings, tmp_path, language, words):
    settings.EXPORT_FOLDER = tmp_path
    patient = factories.alice()
    patient.user.language = language
    patient.user.save()
    archive = package(made(kickoff(patient)))
    said = archive.read("README.txt").decode()
    listed = [name for name in archive.namelist() if name.endswith(".ndjson")]

    assert words in said
    assert listed
    assert all(f"  {name}: " in said for name in listed)
