"""A patient's age by the law that holds for them: what others may decide, and what is theirs alone."""

import zoneinfo
from datetime import date, datetime

from django.conf import settings

from accounts import activation
from accounts.models import Patient
from consent.jurisdictions import Jurisdiction, age_of, table


def law_of(patient: Patient) -> Jurisdiction:
    """Raises KeyError for a jurisdiction that is not in the table."""
    return table()[patient.jurisdiction or settings.JURISDICTION]


def today_of(patient: Patient, now: datetime) -> date:
    """The date where the patient's law holds: whoever asks may be in another time zone."""
    return law_of(patient).today(now, settings.TIME_ZONE)


def age_at(patient: Patient, now: datetime) -> int:
    return age_of(patient.birth_date, today_of(patient, now))


def is_minor(patient: Patient, now: datetime) -> bool:
    """Whether others may decide for them because of their age."""
    freed = patient.emancipated_on and patient.emancipated_on <= today_of(patient, now)
    return not freed and age_at(patient, now) < law_of(patient).minor_until


def may_sign_in(patient: Patient, now: datetime) -> bool:
    """Whether they may have an account of their own: from the age at which some of their record is."""
    return not is_minor(patient, now) or age_at(patient, now) >= law_of(patient).teen_from


def check_sign_in(patient: Patient, now: datetime) -> None:
    """To be asked before a code for an account is made. Raises `activation.Refused`."""
    if not may_sign_in(patient, now):
        raise activation.Refused("This patient is too young to sign in. A parent or guardian asks to help.")


def is_teen(patient: Patient, now: datetime) -> bool:
    """Whether some of their record is theirs alone, though they are minors."""
    return is_minor(patient, now) and age_at(patient, now) >= law_of(patient).teen_from


def birthday(patient: Patient, age: int) -> datetime:
    """The first moment at which they are of that age, where their law holds."""
    born, law = patient.birth_date, law_of(patient)
    year = born.year + age
    try:
        day = born.replace(year=year)
    except ValueError:  # born on 29 February: 1 March
        day = date(year, 3, 1)
    zone = zoneinfo.ZoneInfo(law.time_zone or settings.TIME_ZONE)
    return datetime(day.year, day.month, day.day, tzinfo=zone)
