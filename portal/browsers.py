"""The browser behind a User-Agent header, in words: "Chrome on Linux". A guess for people, never a rule."""

from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy

# In this order: most browsers also name those that they want to be taken for.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
UNKNOWN = pgettext_lazy("browser.unknown", "A browser")


def browser_words(user_agent: str) -> str | Promise:
    browser = _named(user_agent, BROWSERS)
    system = _named(user_agent, SYSTEMS)
    if not browser:
        return UNKNOWN
    if not system:
        return browser
    return pgettext("browser.on", "{browser} on {system}").format(browser=browser, system=system)


def _named(user_agent: str, names: tuple[tuple[str, str], ...]) -> str:
    return next((name for mark, name in names if mark in user_agent), "")
