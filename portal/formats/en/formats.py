"""Dates and times in English: full months, and times that can end a sentence."""

DATE_FORMAT = "F j, Y"
TIME_FORMAT = "g:i A"
DATETIME_FORMAT = "F j, Y, g:i A"
SHORT_DATE_FORMAT = "M j, Y"
YEAR_MONTH_FORMAT = "F Y"
