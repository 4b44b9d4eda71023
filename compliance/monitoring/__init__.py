"""What is odd about how records are used: detectors over the log, their baselines, and alerts for people.

`runs.run` takes the next events of the log, in its order, in one transaction: marks (`measures`) are
added up in windows (`tallies`), windows are held against baselines by pure functions (`detectors`), and
what is found becomes an alert (`alerts`). docs/monitoring.md has the table and how well it works.
"""
