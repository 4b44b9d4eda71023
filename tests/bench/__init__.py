"""`make bench`: what the gate costs and whether it holds, on the programs that `make demo` runs.

How to read it: docs/performance.md. Nothing of it runs in `make test` but a small round of everything
(test_smoke.py), which judges counts alone.
"""
