"""Vaccines, with the schedule that children follow."""

from datetime import date

from demo.population.chart import Chart, reference
from demo.population.clinic import CLINIC, KIM
from demo.population.coding import CVX, concept, hl7

VACCINES = {
    "hepatitis-b": ("08", "Hep B, adolescent or pediatric"),
    "rotavirus": ("119", "rotavirus, monovalent"),
    "dtap": ("20", "DTaP"),
    "hib": ("49", "Hib (PRP-OMP)"),
    "pneumococcal": ("133", "Pneumococcal conjugate PCV 13"),
    "polio": ("10", "IPV"),
    "mmr": ("03", "MMR"),
    "varicella": ("21", "varicella"),
    "hepatitis-a": ("83", "Hep A, ped/adol, 2 dose"),
    "flu": ("140", "Influenza, seasonal, injectable, preservative free"),
    "tdap": ("115", "Tdap"),
    "hpv": ("165", "HPV9"),
    "meningococcal": ("114", "meningococcal MCV4P"),
    "covid": (
        "208",
        "SARS-COV-2 (COVID-19) vaccine, mRNA, spike protein, LNP, preservative free, 30 mcg/0.3mL dose",
    ),
    "pneumococcal-23": ("33", "pneumococcal polysaccharide vaccine, 23 valent"),
    "zoster": ("187", "zoster recombinant"),
    "td": ("113", "Td (adult), 5 Lf tetanus toxoid, preservative free, adsorbed"),
}

# (vaccine, ages in months): the usual childhood schedule, shortened.
CHILDHOOD = (
    ("hepatitis-b", (0, 1, 6)),
    ("rotavirus", (2, 4)),
    ("dtap", (2, 4, 6, 15, 50)),
    ("hib", (2, 4, 12)),
    ("pneumococcal", (2, 4, 6, 12)),
    ("polio", (2, 4, 6, 50)),
    ("mmr", (12, 50)),
    ("varicella", (12, 50)),
    ("hepatitis-a", (12, 18)),
    ("tdap", (134,)),
    ("hpv", (134, 140)),
    ("meningococcal", (134,)),
)


def vaccine(chart: Chart, name: str, ago: int, *, not_done: str = "", dose: int = 0) -> str:
    """One vaccine given `ago` days back, or, with `not_done`, refused for that reason."""
    code, display = VACCINES[name]
    return chart.add(
        "Immunization",
        f"vaccine-{name}",
        profile="us-core-immunization",
        status="not-done" if not_done else "completed",
        statusReason=hl7("v3-ActReason", "PATOBJ", not_done) if not_done else None,
        vaccineCode=concept(CVX, code, display),
        occurrenceDateTime=chart.day(ago).isoformat(),
        primarySource=True,
        location=None if not_done else reference("Location/riverside-main", "Riverside Clinic, Main Street"),
        lotNumber=None if not_done else f"RC{chart.day(ago):%y%j}",
        performer=None if not_done else [{"actor": KIM.ref}, {"actor": CLINIC}],
        protocolApplied=[{"doseNumberPositiveInt": dose}] if dose else None,
    )


def childhood(chart: Chart) -> None:
    """Every dose of the schedule that the child is old enough to have had."""
    age_in_days = (chart.today - chart.birth_date).days
    for name, months in CHILDHOOD:
        for dose, month in enumerate(months, start=1):
            if month * 30.44 + 10 < age_in_days:
                vaccine(chart, name, age_in_days - round(month * 30.44) - 5, dose=dose)


def flu_each_autumn(chart: Chart, years: int) -> None:
    """A flu vaccine in each of the last `years` Octobers that are over."""
    for back in range(years, -1, -1):
        given = date(chart.today.year - back, 10, 14)
        if chart.birth_date < given < chart.today:
            vaccine(chart, "flu", (chart.today - given).days)
