# Needs git, make and Python 3.11 or newer; everything else is installed into .venv, and data go to var/.
PORT ?= 8000
APP_PORT ?= 8001
N ?= 100
PY := .venv/bin/python
VAR := $(if $(CHARTKEY_VAR),$(CHARTKEY_VAR),var)

# The first Python that is new enough. Another one: make PYTHON=/path/to/python3 ...
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

# A production-like environment: .env.example with fresh secrets. No server is reached with it.
CHECK_ENV := var/check/env
CHECKED = DATABASE_POOL=0 CHARTKEY_ENV_FILE=$(CHECK_ENV) $(PY)

.DEFAULT_GOAL := help
.PHONY: help demo demo-reset population manage psql test a11y bench check fix pins screenshots

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/.demo ## Start everything here (PORT=8000 APP_PORT=8001, TLS=1 for https, DATA=path for your own FHIR bundles)
	@$(PY) -m config.up --port $(PORT) --app-port $(APP_PORT) $(if $(TLS),--tls) $(if $(DATA),--data "$(DATA)")

demo-reset: .venv/.demo ## Throw the demo's data away
	@$(PY) -m config.up --reset

population: .venv/.demo ## Make N=100 synthetic patients with Synthea's modules and load them
	@sh deploy/population.sh $(N) $(VAR)

manage: .venv/.demo ## Run manage.py on the demo's database, for example: make manage ARGS=verify_audit
	@$(PY) -m config.up manage $(ARGS)

psql: .venv/.demo ## Open psql as superuser on the demo's database, to try to cheat the log (docs/audit.md)
	@$(PY) -m config.up --psql

test: .venv/.dev $(CHECK_ENV) ## Run the whole test suite (ARGS=tests/consent for a part, EXAMPLES=10 for more of what is made up)
	@$(CHECKED) manage.py catalogue compile
	$(PY) -m pytest -n auto --no-loadscope-reorder $(ARGS)

a11y: .venv/.dev $(CHECK_ENV) ## Ask axe about every page at every width, scheme and language, some five minutes
	@$(CHECKED) manage.py catalogue compile
	EVERY_LOOK=1 $(PY) -m pytest -n auto -k accessible tests/portal $(ARGS)

bench: .venv/.demo ## Measure the gate and revocation, some five minutes (ARGS=P1 for a part; docs/performance.md)
	@$(PY) -m tests.bench $(ARGS)

check: .venv/.dev $(CHECK_ENV) ## Lint, types, layers, Django's deploy checks
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(CHECKED) -m mypy
	.venv/bin/lint-imports
	$(CHECKED) manage.py check --deploy --fail-level WARNING
	$(CHECKED) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

fix: .venv/.dev ## Format, and repair what ruff can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

screenshots: .venv/.dev $(CHECK_ENV) ## Walk the story in Chromium; pictures in var/screenshots
	@$(CHECKED) manage.py catalogue compile
	$(PY) -m pytest tests/browser -k journey
	@ls $(VAR)/screenshots

COMPILE := .venv/bin/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-header -q
pins: .venv/.dev ## Pin the newest allowed versions in requirements.txt and requirements-dev.txt
	$(COMPILE) --upgrade -o requirements.txt
	$(COMPILE) --upgrade --group dev -c requirements.txt -o requirements-dev.txt

.venv/.demo: requirements.txt
	@$(call install,requirements.txt)

.venv/.dev: requirements-dev.txt
	@$(call install,requirements-dev.txt)

install = $(if $(PYTHON),,echo "Chartkey needs Python 3.11 or newer. On Debian or Ubuntu: apt install python3 python3-venv" \
  "(macOS: brew install python)" >&2; exit 1;) $(PYTHON) deploy/venv.py $(1) $@

$(CHECK_ENV): .env.example config/keys.py | .venv/.dev
	@mkdir -p var/check
	@$(PY) -m config.keys --oidc-key-file var/check/oidc.pem > $@
