"""README.txt in the archive, for whoever opens it."""

import zipfile

import pytest

from exports import commands, files, readme, runs
from tests import factories

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
    job = commands.kickoff(patient=patient, by=patient.user, categories=(), include_sensitive=False)
    runs.run(job.id)
    with zipfile.ZipFile(files.archive(job.id)) as archive:
        said = archive.read("README.txt").decode()
        listed = [name for name in archive.namelist() if name.endswith(".ndjson")]

    assert words in said
    assert listed
    assert all(f"  {name}: " in said for name in listed)
    assert "Binary" in readme.text(job, ["Binary"])
