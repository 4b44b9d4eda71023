import pytest


@pytest.fixture(autouse=True)
def _nobody_is_told(settings) -> None:
    """The tables of the rooms above are not emptied after the tests of this room."""
    settings.AUDIT_ALARM = ""
