"""Lakeside Hospital: the demo's second EHR, with records of Alice's that her clinic does not have.

A process of its own that imports nothing of Chartkey. It can be stopped, to see what pages say then.
"""
