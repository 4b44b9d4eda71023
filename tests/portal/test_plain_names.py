from portal.plain_names import CODES, NAMES, plain_name


def test_every_code_has_a_name_and_every_name_a_code():
    assert set(CODES.values()) == set(NAMES)


def test_unknown_code_has_no_plain_name():
    assert plain_name("99999-9") is None
