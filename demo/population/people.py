"""The people of the demo. Factories with a fixed seed fill in what no story depends on."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import factory
import factory.random

from demo.population.coding import HL7, US_CORE, Resource, coding, concept

SEED = "riverside"
RACES = {
    "white": ("2106-3", "White"),
    "black": ("2054-5", "Black or African American"),
    "asian": ("2028-9", "Asian"),
}
ETHNICITIES = {
    True: ("2135-2", "Hispanic or Latino"),
    False: ("2186-5", "Not Hispanic or Latino"),
}
LANGUAGES = {"en": "English", "es": "Spanish"}


@contextmanager
def seeded(name: str) -> Iterator[None]:
    """Draws inside come out the same for the same name; draws outside go on as they were."""
    before = factory.random.get_random_state()
    factory.random.reseed_random(f"{SEED}/{name}")
    try:
        yield
    finally:
        factory.random.set_random_state(before)


def born(today: date, age: int, month: int, day: int) -> date:
    """The birth date of someone who is `age` years old on `today`."""
    return date(today.year - age - ((today.month, today.day) < (month, day)), month, day)


def _us_core_extension(name: str, pair: tuple[str, str]) -> Resource:
    return {
        "url": f"{US_CORE}StructureDefinition/us-core-{name}",
        "extension": [
            {"url": "ombCategory", "valueCoding": coding("urn:oid:2.16.840.1.113883.6.238", *pair)},
            {"url": "text", "valueString": pair[1]},
        ],
    }


class AddressFactory(factory.DictFactory):
    use = "home"
    line = factory.List([factory.Faker("street_address")])
    city = "Riverside"
    state = "NY"
    postalCode = factory.Faker("numerify", text="129##")
    country = "US"


class PatientFactory(factory.DictFactory):
    """A US Core Patient. Extra arguments (given, family, race …) shape it and are not elements."""

    class Meta:
        exclude = (
            "given",
            "family",
            "race",
            "hispanic",
            "birth_sex",
            "household",
            "language",
            "record_number",
        )

    given = ["Pat"]
    family = "Example"
    race = "white"
    hispanic = False
    birth_sex = "F"
    household = ""  # people of one household share an address
    language = "en"
    record_number = factory.Faker("numerify", text="4#######")

    resourceType = "Patient"
    id = "pat"
    meta = {"profile": [f"{US_CORE}StructureDefinition/us-core-patient"]}
    extension = factory.LazyAttribute(
        lambda o: [
            _us_core_extension("race", RACES[o.race]),
            _us_core_extension("ethnicity", ETHNICITIES[o.hispanic]),
            {"url": f"{US_CORE}StructureDefinition/us-core-birthsex", "valueCode": o.birth_sex},
        ]
    )
    identifier = factory.LazyAttribute(
        lambda o: [
            {
                "use": "usual",
                "type": concept(HL7 + "v2-0203", "MR", "Medical record number"),
                "system": "https://riverside.example/mrn",
                "value": o.record_number,
            }
        ]
    )
    active = True
    name = factory.LazyAttribute(lambda o: [{"use": "official", "family": o.family, "given": o.given}])
    telecom = factory.LazyAttribute(
        lambda o: [
            {"system": "phone", "value": f"555-01{int(o.record_number[-2:]):02}", "use": "mobile"},
            {"system": "email", "value": f"{o.id}@demo.example", "use": "home"},
        ]
    )
    gender = factory.LazyAttribute(lambda o: {"F": "female", "M": "male"}[o.birth_sex])
    birthDate = "1980-01-01"
    address = factory.LazyAttribute(lambda o: [_home(o.household or o.id)])
    communication = factory.LazyAttribute(
        lambda o: [
            {"language": concept("urn:ietf:bcp:47", o.language, LANGUAGES[o.language]), "preferred": True}
        ]
    )
    generalPractitioner = [{"reference": "Practitioner/dr-osei", "display": "Dr. Ngozi Osei"}]
    managingOrganization = {"reference": "Organization/riverside-clinic", "display": "Riverside Clinic"}


def _home(household: str) -> Resource:
    with seeded(f"home/{household}"):
        return AddressFactory.build()


def patient(id: str, *, birth_date: date, **shape: object) -> Resource:
    """A US Core Patient with a readable id. `shape`: the arguments of PatientFactory."""
    with seeded(id):
        return PatientFactory.build(id=id, birthDate=birth_date.isoformat(), **shape)


class VitalsFactory(factory.DictFactory):
    """One nurse's round of vital signs, scattered a little around a person's usual values."""

    class Meta:
        exclude = ("usual_systolic", "usual_diastolic", "usual_pulse")

    usual_systolic = 120
    usual_diastolic = 76
    usual_pulse = 72

    scatter = factory.Faker("pyint", min_value=-4, max_value=4)
    systolic = factory.LazyAttribute(lambda o: o.usual_systolic + o.scatter)
    diastolic = factory.LazyAttribute(lambda o: o.usual_diastolic + o.scatter // 2)
    pulse = factory.LazyAttribute(lambda o: o.usual_pulse - o.scatter)
    breaths = factory.Faker("random_element", elements=[14, 16, 16, 18])
    temperature = factory.Faker("random_element", elements=[36.4, 36.6, 36.7, 36.8])
    oxygen = factory.Faker("random_element", elements=[97, 98, 98, 99])
