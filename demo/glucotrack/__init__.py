"""GlucoTrack: the demo SMART app, by "Acme Health".

An independent client: its own process, port, brand and session; it imports nothing of
Chartkey and knows it only by its FHIR address. Built on the `fhirclient` package.
"""
