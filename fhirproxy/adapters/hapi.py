"""HAPI FHIR (hapifhir.io), as `docker-compose.yml` runs it.

Its page links lead to the base itself (`/fhir?_getpages=…&_count=…`), last an hour and take another
_count.
"""

from fhirproxy.adapters.shape import Adapter

ADAPTER = Adapter(larger_pages=True)
