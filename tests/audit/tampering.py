"""Whether the test at hand has tampered with the log: then nobody asks for its invariants afterwards."""

tampered = False
