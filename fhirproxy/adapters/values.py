"""All values of the parameters that some EHRs want to be told (US Core 6.1, FHIR R4)."""

INTENTS = (
    *("proposal", "plan", "order", "original-order"),
    *("reflex-order", "filler-order", "instance-order", "option"),
)
OBSERVATIONS = (
    *("social-history", "vital-signs", "imaging", "laboratory", "procedure", "survey", "exam"),
    *("therapy", "activity", "sdoh", "functional-status", "disability-status", "cognitive-status"),
)
CONDITIONS = ("problem-list-item", "encounter-diagnosis", "health-concern")
# LAB, RAD and the others of HL7 v2 table 0074 that US Core's reports come under, and its LOINC parts.
REPORTS = ("LAB", "RAD", "CUS", "CT", "PAT", "HM", "MB", "LP29684-5", "LP29708-2", "LP7839-6")
