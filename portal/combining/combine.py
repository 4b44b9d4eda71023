"""Several EHRs' lists as one: what is the same is shown once, with who else says it. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any

from portal.combining.items import Item, Shown
from portal.combining.rules import identifier_keys, rule_keys, said_of, same_words

Place = tuple[bool, str, str]


def combine(items: Iterable[Item]) -> list[Shown]:
    """Every item is in exactly one of the groups, in front or as `also`; none has two of one EHR.

    In the order in which the items came; which are together does not depend on it. Of a group the item
    that says most stands in front, among equals that of the primary EHR. `rules` says what is the same.
    """
    given = list(items)
    if len({item.origin.slug for item in given}) < 2:
        return [Shown(item) for item in given]
    groups = [{index} for index in range(len(given))]
    for one, other in _candidates(given):
        if groups[one] is not groups[other] and _fit(given, groups[one], groups[other]):
            groups[one] |= groups[other]
            for index in groups[other]:
                groups[index] = groups[one]
    first = {id(group): min(group) for group in groups}
    return [_shown(given, group) for index, group in enumerate(groups) if first[id(group)] == index]


def _candidates(given: list[Item]) -> Iterator[tuple[int, int]]:
    """Pairs that share a key, those with an identifier in common first; always in the same order."""
    by_identifier, by_rule = defaultdict(list), defaultdict(list)
    for index in sorted(range(len(given)), key=lambda index: _place(given[index])):
        for key in identifier_keys(given[index].resource):
            by_identifier[key].append(index)
        for key in rule_keys(given[index].resource):
            by_rule[key].append(index)
    yield from _pairs(given, by_identifier)
    yield from _pairs(given, by_rule)


def _pairs(given: list[Item], buckets: Mapping[Any, list[int]]) -> Iterator[tuple[int, int]]:
    for _, bucket in sorted(buckets.items(), key=repr):
        if len({given[index].origin.slug for index in bucket}) > 1:
            yield from combinations(bucket, 2)


def _fit(given: list[Item], mine: set[int], theirs: set[int]) -> bool:
    """Whether two groups may be one: no EHR twice, and every two of them in agreement."""
    if {given[i].origin.slug for i in mine} & {given[i].origin.slug for i in theirs}:
        return False
    return all(same_words(given[i].resource, given[j].resource) for i in mine for j in theirs)


def _shown(given: list[Item], group: set[int]) -> Shown:
    front, *also = sorted((given[index] for index in group), key=_front)
    return Shown(front, tuple(also))


def _front(item: Item) -> tuple[int, Place]:
    return -sum(map(bool, said_of(item.resource))), _place(item)


def _place(item: Item) -> Place:
    return not item.origin.is_primary, item.origin.slug, item.address
