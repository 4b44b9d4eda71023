import tests.habits.plugin  # noqa: F401  compiles the copy catalogue
