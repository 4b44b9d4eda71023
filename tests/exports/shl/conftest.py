import pytest

from accounts.models import Patient
from consent.vocabulary import ACT_CODE
from tests import factories

HIV = {"security": [{"system": ACT_CODE, "code": "HIV"}]}


@pytest.fixture
def alice() -> Patient:
    """With one result that anybody may see whom she lets, and one of a private topic."""
    patient = factories.alice()
    private = factories.lab_result(
        patient, f"{factories.fhir_id(patient)}-private", meta=HIV, code={"text": "Viral load"}
    )
    factories.load_records(private)
    return patient
