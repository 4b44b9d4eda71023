"""What stands in each kind of record, in a few words, for the page where people choose. Total."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from consent.vocabulary import Category

DETAILS: Mapping[str, Promise] = {
    Category.TEST_RESULTS: pgettext_lazy("category.test-results.what", "Blood tests and other lab tests"),
    Category.VITAL_SIGNS: pgettext_lazy("category.vital-signs.what", "Blood pressure, pulse, weight, height"),
    Category.MEDICINES: pgettext_lazy("category.medicines.what", "Names, doses and who ordered them"),
    Category.ALLERGIES: pgettext_lazy("category.allergies.what", "What you react to, and how"),
    Category.CONDITIONS: pgettext_lazy("category.conditions.what", "Problems you have now or had before"),
    Category.VACCINES: pgettext_lazy("category.vaccines.what", "Shots you had, and when"),
    Category.VISITS: pgettext_lazy("category.visits.what", "When you were seen, where and by whom"),
    Category.NOTES: pgettext_lazy("category.notes.what", "What your care team wrote down"),
    Category.IMAGING: pgettext_lazy("category.imaging.what", "Pictures of your body and what they show"),
    Category.PROCEDURES: pgettext_lazy("category.procedures.what", "What was done for you, and when"),
    Category.CARE_PLANS: pgettext_lazy("category.care-plans.what", "What you and your team plan to do"),
    Category.CARE_TEAM: pgettext_lazy("category.care-team.what", "Names of your doctors, nurses and clinics"),
    Category.SOCIAL_HISTORY: pgettext_lazy("category.social-history.what", "Such as smoking, work and home"),
    Category.SURVEYS: pgettext_lazy("category.surveys.what", "Your answers to questions about your health"),
    Category.DEVICES: pgettext_lazy("category.devices.what", "Such as a pump, a pacemaker or a hearing aid"),
    Category.FAMILY_HISTORY: pgettext_lazy("category.family-history.what", "Health problems in your family"),
    Category.INSURANCE: pgettext_lazy("category.insurance.what", "Your plan, what was billed and paid"),
    Category.DEMOGRAPHICS: pgettext_lazy("category.demographics.what", "Your name, birth date and sex"),
    Category.CONTACT: pgettext_lazy("category.contact.what", "Where you live, and how to reach you"),
    Category.APPOINTMENTS: pgettext_lazy("category.appointments.what", "Visits that are planned"),
    Category.MESSAGES: pgettext_lazy("category.messages.what", "What you and your team wrote to each other"),
    Category.PRIVACY: pgettext_lazy("category.privacy.what", "Who you share with, and who saw your records"),
    Category.OTHER: pgettext_lazy("category.other.what", "All that fits nowhere else"),
}
