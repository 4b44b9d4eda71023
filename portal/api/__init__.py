"""The JSON API, /api/v1/: what the pages about sharing and activity do, for apps.

What is about records' privacy (Consent, AuditEvent) is read and changed through the gate: the same
decision, the same log. What an app may do follows from its SMART scopes (`patient/Consent.rs`, `.u`,
`patient/AuditEvent.rs`); a person's own session may do what their pages may. What is proposed for the chart
takes the way of every write (`fhirproxy.writes`), and the scopes of it.
"""
