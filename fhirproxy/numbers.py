"""Numbers from records as pages show them: short enough to read, and never in another language's digits."""

from decimal import ROUND_HALF_UP, Decimal

from django.utils.translation import get_language, pgettext

MOST_DECIMALS = 3  # more than these come from a computer, not from a measurement


def number_text(number: Decimal) -> str:
    """As the lab sent it, with a decimal point; what has many decimals is cut to three digits: "10.2"."""
    decimals = -int(number.as_tuple().exponent)
    shown = max(1, 2 - number.adjusted())
    if decimals <= max(MOST_DECIMALS, shown):
        return f"{number:f}"
    return f"{number.quantize(Decimal(1).scaleb(-shown), ROUND_HALF_UP):f}"


def with_fahrenheit(text: str, celsius: Decimal) -> str:
    """ "37.2 °C (99.0 °F)" for who reads English; the text alone in other languages."""
    if not (get_language() or "en").startswith("en"):
        return text
    fahrenheit = (celsius * 9 / 5 + 32).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return pgettext("value.fahrenheit", "{celsius} ({number} °F)").format(celsius=text, number=fahrenheit)
