"""`_include` and `_revinclude`: made by the gate out of what may be seen, never by the EHR.

So they start from resources that were let out, and each that comes along is decided on by itself.
"""

from collections import defaultdict
from collections.abc import Iterator

from fhirproxy import asking
from fhirproxy.checks import Passed, decide_on, see
from fhirproxy.compartment import at, relative
from fhirproxy.reached import target_references, with_those
from fhirproxy.release import Call
from fhirproxy.served import SERVED

NEVER = frozenset({"Binary", "Provenance"})  # no reference to one is enough to see it: see `reached`
MOST = 500  # references followed for one page


def include(call: Call, passed: Passed) -> None:
    """Add what the matches refer to, as far as it was asked for and may be seen."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for reference in list(_references(call, passed))[:MOST]:
        kind, _, resource_id = reference.partition("/")
        followed = kind in SERVED and kind not in NEVER
        if followed and "/" not in resource_id and reference not in passed.matches:
            wanted[kind].add(resource_id)
    for kind, ids in sorted(wanted.items()):
        for seen in see(call, asking.by_ids(call.source, kind, ids)):
            if seen.type == kind and seen.id in ids:
                passed.take(seen, decide_on(call, seen, "read"), included=True)


def _references(call: Call, passed: Passed) -> Iterator[str]:
    for seen, _ in passed.matches.values():
        includes = SERVED[seen.type].includes
        for param in call.interaction.includes & set(includes):
            for value in at(seen.resource, includes[param].split(".")):
                if isinstance(value, dict) and isinstance(value.get("reference"), str):
                    yield relative(value["reference"], call.base_url)


def include_provenance(call: Call, passed: Passed) -> None:
    """Provenance of the matches (`_revinclude=Provenance:target`), if all that it tells of is let out too."""
    if not passed.matches:
        return
    references = sorted(passed.matches)
    for start in range(0, len(references), asking.AT_ONCE):
        params = (("target", ",".join(references[start : start + asking.AT_ONCE])), ("_count", "200"))
        for seen in see(call, asking.page(call.source, "Provenance", params).bodies):
            told = target_references(seen.resource, call.base_url)
            if seen.type != "Provenance" or not told or not told <= set(passed.matches):
                continue
            seen = with_those(seen, (passed.matches[reference][0] for reference in told))
            passed.take(seen, decide_on(call, seen, "read"), included=True)
