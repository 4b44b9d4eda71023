"""The formats of a person's download: each a pure function from decided resources to bytes.

What comes in was decided and filtered already (`fhirproxy.gate`). Nothing here asks a database, a clock or a
network, so that the same records give the same bytes.
"""
