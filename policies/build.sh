#!/bin/sh
# Compiles the default rules into bundle.tar.gz: the same bytes from the same sources, on every machine and in every folder.
# OPA writes the paths that it is given into the module, so it is always started in this folder with `.`.
set -eu
cd "$(dirname "$0")"
exec "${OPA:-opa}" build --bundle . --target wasm --entrypoint cambist/exchange/decision --ignore '*_test.rego' --output "${1:-bundle.tar.gz}"
