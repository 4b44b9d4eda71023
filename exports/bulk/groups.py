"""Who is in a group, now."""

from django.db.models import QuerySet

from accounts.models import Patient, PatientIdentity
from exports.models import Group


def members(group: Group) -> QuerySet[Patient]:
    """The patients of a group who have a record anywhere. Of two that were merged, the one that is left."""
    people = Patient.objects.filter(merged_into=None)
    known = PatientIdentity.objects.all()
    if group.kind == Group.Kind.LIST:
        listed = group.listed.values("patient_id")
        people = people.filter(pk__in=listed) | people.filter(
            pk__in=Patient.objects.filter(pk__in=listed).values("merged_into_id")
        )
    if group.source:
        known = known.filter(source=group.source)
    if group.born_from:
        people = people.filter(birth_date__gte=group.born_from)
    if group.born_until:
        people = people.filter(birth_date__lte=group.born_until)
    return people.filter(pk__in=known.values("patient_id"))
