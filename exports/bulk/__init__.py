"""Bulk Data Access: what a backend service is given of many patients.

`kickoff` reads what is asked for, `approvals` and `groups` say of whom, `jobs` starts it.
What the engine runs of it is a Source (`exports.sources`) in this package.
"""
