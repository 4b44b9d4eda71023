"""Checkpoints are C2SP signed notes, to the byte."""

import base64

import pytest

from audit import anchor_file, notes

# The example of c2sp.org/signed-note, made by the Go implementation.
GO_KEY = base64.b64decode("AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")[1:]
GO_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
SIGNER = notes.Signer("chartkey.example/audit", bytes(32))
HEAD = notes.TreeHead(7, b"\x05" * 32)


def test_a_note_of_the_reference_implementation_opens():
    verifier = notes.Verifier("example.com/foo", GO_KEY)

    assert verifier.open(GO_NOTE) == "This is an example message.\n"
    assert str(verifier) == "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


def test_a_checkpoint_is_three_lines_and_a_signature():
    note = notes.checkpoint(HEAD, SIGNER)

    lines = note.split("\n")
    assert lines[:4] == ["chartkey.example/audit", "7", "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=", ""]
    assert lines[4].startswith("— chartkey.example/audit ")
    assert lines[5:] == [""]
    assert notes.open_checkpoint(note, SIGNER.verifier) == HEAD


def test_a_witness_may_sign_below():
    note = notes.checkpoint(HEAD, SIGNER)
    witness = notes.Signer("witness.example", b"\x01" * 32)
    cosigned = note + witness.sign(note.split("\n\n")[0] + "\n").split("\n\n")[1]

    assert notes.open_checkpoint(cosigned, SIGNER.verifier) == HEAD


@pytest.mark.parametrize(
    "forge",
    [
        lambda note: note.replace("\n7\n", "\n8\n"),
        lambda note: note.replace("BQUF", "BgUF", 1),
        lambda note: note.replace("— chartkey.example/audit", "— other.example/audit"),
        lambda note: note.split("\n\n")[0],
        lambda note: note.replace("— ", "- "),
        lambda note: "",
        lambda note: notes.checkpoint(HEAD, notes.Signer(SIGNER.name, b"\x01" * 32)),
        lambda note: SIGNER.sign("other.example/audit\n7\nBQUF\n"),
        lambda note: SIGNER.sign("not a checkpoint\n"),
        lambda note: SIGNER.sign(note.split("\n\n")[0].replace("\n7\n", "\n07\n") + "\n"),
    ],
)
def test_a24_a_forged_checkpoint_is_refused(forge):
    with pytest.raises(notes.InvalidNote):
        notes.open_checkpoint(forge(notes.checkpoint(HEAD, SIGNER)), SIGNER.verifier)


@pytest.fixture
def our_key(settings):
    settings.AUDIT_SIGNING_KEY = SIGNER.seed


@pytest.mark.usefixtures("our_key")
def test_the_anchor_file_reads_back_past_a_note_that_a_power_cut_left_half(tmp_path):
    path = tmp_path / "audit" / "checkpoints.txt"
    anchor_file.append(path, notes.checkpoint(HEAD, SIGNER))
    with path.open("a") as file:
        file.write("chartkey.example/audit\n8\nBQ")
    assert anchor_file.last(path) == HEAD
    anchor_file.append(path, notes.checkpoint(notes.TreeHead(9, HEAD.root), SIGNER))

    read = list(anchor_file.read(path, path.stat().st_size))

    assert [anchored.head.size for anchored in read] == [7, 9]
    assert (read[0].line, read[0].offset) == (1, 0)
    assert anchor_file.last(path).size == 9


@pytest.mark.usefixtures("our_key")
def test_the_anchor_file_names_the_line_of_a_forged_note(tmp_path):
    path = tmp_path / "checkpoints.txt"
    anchor_file.append(path, notes.checkpoint(HEAD, SIGNER))
    anchor_file.append(path, notes.checkpoint(HEAD, SIGNER).replace("\n7\n", "\n8\n"))

    with pytest.raises(notes.InvalidNote, match="line 7: the signature is wrong"):
        list(anchor_file.read(path, path.stat().st_size))
