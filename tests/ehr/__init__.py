"""EHRs to test against: a scripted fake one, an independent one, and what each of them must do."""
