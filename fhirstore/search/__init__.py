"""Search (FHIR R4, 3.1.1): `query` reads the parameters, `where` makes SQL of them, `run` answers."""
