"""Proofs from the stored tree, held against the pure functions that RFC 9162 is spelled out in."""

import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit import merkle, proofs, sequencer
from audit.log import record
from audit.models import LogLeaf, LogNode
from tests.audit.cast import entry, tamper, tick

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["audit"])
SIZE = 1_100

FILL = """
INSERT INTO audit_event SELECT gen_random_uuid(), e.xid, e.recorded_at, e.type, e.outcome, e.actor,
  e.on_behalf_of, e.role, e.patient, e.client, e.interaction, e.resource_types, e.categories, e.purpose,
  e.reasons, e.consent, e.consent_number, e.count, e.target, e.correlation_id, e.payload,
  sha256(n::text::bytea), e.writer_mac FROM audit_event e, generate_series(2, %s) n
"""


@pytest.fixture
def leaves():
    record(entry())
    tamper(FILL, SIZE)
    tick(limit=300)
    sequencer.catch_up()
    return [bytes(leaf) for leaf in LogLeaf.objects.order_by("seq").values_list("leaf", flat=True)]


def test_proofs_are_those_of_the_tree(leaves):
    roots = {n: merkle.root_of(leaves[:n]) for n in (1, 2, 255, 256, 257, 511, 512, 700, 1024, SIZE)}
    picks = random.Random(6)
    for size, root in roots.items():
        assert proofs.root_at(size) == root
        for seq in {0, size - 1, *(picks.randrange(size) for _ in range(4))}:
            proof = proofs.inclusion(seq, size)
            assert proof.path == merkle.inclusion_proof(leaves[:size], seq)
            assert merkle.includes(leaf=leaves[seq], index=seq, size=size, proof=proof.path, root=root)
        for old in (n for n in roots if n <= size):
            assert proofs.consistency(old, size) == merkle.consistency_proof(leaves[:size], old)


def test_stored_nodes_that_are_missing_are_computed_and_used_where_they_are_there(leaves):
    assert LogNode.objects.filter(level=8).count() == SIZE // 256
    with CaptureQueriesContext(
        connection,
    ) as queries:
        with_nodes = proofs.inclusion(3, SIZE)
    tamper("DELETE FROM log_node WHERE index > 0")

    assert proofs.inclusion(3, SIZE) == with_nodes
    assert proofs.root_at(SIZE) == merkle.root_of(leaves)
    assert len(queries) < 40


@pytest.mark.usefixtures("leaves")
@pytest.mark.parametrize(
    "ask",
    [
        lambda: proofs.inclusion(0, SIZE + 1),
        lambda: proofs.inclusion(SIZE, SIZE),
        lambda: proofs.inclusion(-1, SIZE),
        lambda: proofs.consistency(0, SIZE),
        lambda: proofs.consistency(5, 4),
        lambda: proofs.consistency(5, SIZE + 1),
        lambda: proofs.root_at(SIZE + 1),
    ],
)
def test_what_never_was_is_refused_in_words(ask):
    with pytest.raises(proofs.NoSuchTree, match="log"):
        ask()
