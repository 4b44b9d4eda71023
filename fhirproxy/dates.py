"""Dates from records, in the reader's language and time zone, and no more exact than they were written."""

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import pgettext

from fhirproxy.reading import Moment


def date_words(moment: Moment | None) -> str:
    """ "June 12, 2025", "June 2025" or "2025"; "" for None."""
    if moment is None:
        return ""
    if moment.precision == "year":
        return f"{moment.at.year}"
    if moment.precision == "month":
        return date_format(moment.at, "YEAR_MONTH_FORMAT")
    return date_format(_local(moment), "DATE_FORMAT")


def month_words(moment: Moment) -> str:
    """The month of a moment: "June 2025", or "2025"."""
    if moment.precision == "year":
        return f"{moment.at.year}"
    return date_format(_local(moment), "YEAR_MONTH_FORMAT")


def axis_words(moment: Moment) -> str:
    """The same, short: "Jun 2025"."""
    return f"{moment.at.year}" if moment.precision == "year" else date_format(_local(moment), "M Y")


def time_words(moment: Moment | None) -> str:
    """ "June 12, 2025 at 9:30 a.m."; without a time where none was written."""
    if moment is None or moment.precision != "time":
        return date_words(moment)
    return pgettext("date.time", "{date} at {time}").format(
        date=date_words(moment), time=date_format(_local(moment), "TIME_FORMAT")
    )


def _local(moment: Moment) -> datetime:
    # A plain date has no time zone: moving it would show the day before.
    return timezone.localtime(moment.at) if moment.precision == "time" else moment.at
