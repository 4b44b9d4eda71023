"""Exports that we send: to an HTTPS address or a bucket of the service that asked.

`destinations` says where to, `pushes` when and how far, `sending` speaks with the other side.
"""
