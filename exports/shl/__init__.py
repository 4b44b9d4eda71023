"""SMART Health Links: https://hl7.org/fhir/uv/smart-health-cards-and-links (STU 1), for summaries."""
