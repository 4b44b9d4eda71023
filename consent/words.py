"""Names of categories and private topics, as people read them on every page and in every message."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from consent.vocabulary import Category

CATEGORY: Mapping[str, Promise] = {
    Category.TEST_RESULTS: pgettext_lazy("category.test-results", "Test results"),
    Category.VITAL_SIGNS: pgettext_lazy("category.vital-signs", "Vital signs"),
    Category.MEDICINES: pgettext_lazy("category.medicines", "Medicines"),
    Category.ALLERGIES: pgettext_lazy("category.allergies", "Allergies"),
    Category.CONDITIONS: pgettext_lazy("category.conditions", "Health conditions"),
    Category.VACCINES: pgettext_lazy("category.vaccines", "Vaccines"),
    Category.VISITS: pgettext_lazy("category.visits", "Visits"),
    Category.NOTES: pgettext_lazy("category.notes", "Notes and letters"),
    Category.IMAGING: pgettext_lazy("category.imaging", "Scans and X-rays"),
    Category.PROCEDURES: pgettext_lazy("category.procedures", "Procedures"),
    Category.CARE_PLANS: pgettext_lazy("category.care-plans", "Care plans and goals"),
    Category.CARE_TEAM: pgettext_lazy("category.care-team", "Your care team"),
    Category.SOCIAL_HISTORY: pgettext_lazy("category.social-history", "Life and habits"),
    Category.SURVEYS: pgettext_lazy("category.surveys", "Forms you filled in"),
    Category.DEVICES: pgettext_lazy("category.devices", "Devices"),
    Category.FAMILY_HISTORY: pgettext_lazy("category.family-history", "Family health"),
    Category.INSURANCE: pgettext_lazy("category.insurance", "Insurance and bills"),
    Category.DEMOGRAPHICS: pgettext_lazy("category.demographics", "Name and age"),
    Category.CONTACT: pgettext_lazy("category.contact", "Address, phone and e-mail"),
    Category.APPOINTMENTS: pgettext_lazy("category.appointments", "Appointments"),
    Category.MESSAGES: pgettext_lazy("category.messages", "Messages"),
    Category.PRIVACY: pgettext_lazy("category.privacy", "Sharing choices and access log"),
    Category.OTHER: pgettext_lazy("category.other", "Other records"),
}
TOPIC: Mapping[str, Promise] = {
    "mental-health": pgettext_lazy("topic.mental-health", "Mental health"),
    "substance-use": pgettext_lazy("topic.substance-use", "Alcohol and drug use"),
    "sexual-health": pgettext_lazy("topic.sexual-health", "Sexual health"),
    "reproductive-care": pgettext_lazy("topic.reproductive-care", "Birth control, abortion and gender care"),
    "genetic-tests": pgettext_lazy("topic.genetic-tests", "Genetic tests"),
    "abuse-or-violence": pgettext_lazy("topic.abuse-or-violence", "Abuse or violence"),
    "marked-private": pgettext_lazy("topic.marked-private", "Other things your clinic marked private"),
}
