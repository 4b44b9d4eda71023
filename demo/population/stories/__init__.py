"""The stories: one module a household, one function a patient, each returning a Chart."""
