#!/usr/bin/env bash
# Is the service what its /openapi.json says, whatever it is sent?
#
#   tests/schemathesis.sh               exit code 0: every answer was as described, and no 5xx but
#                                       those that a fleet with faults may bring
#   SPARRING=path tests/...             the binary [default: target/debug/sparring]
#   SCHEMATHESIS=path tests/...         the tool, from tests/schemathesis_requirements.txt
#   SCHEMATHESIS_EXAMPLES=200 tests/... so many made-up requests an operation [default: 25]
#   SCHEMATHESIS_SEED=7 tests/...       other requests
#
# The stack listens on free ports of this machine; detectors can be registered nowhere else.
set -euo pipefail
cd "$(dirname "$0")/.."

SPARRING=${SPARRING:-${CARGO_TARGET_DIR:-target}/debug/sparring}
SCHEMATHESIS=${SCHEMATHESIS:-schemathesis}
EXAMPLES=${SCHEMATHESIS_EXAMPLES:-25}
SEED=${SCHEMATHESIS_SEED:-1}
LONGEST_S=170
TOOL=$(command -v "$SCHEMATHESIS") || { echo "no $SCHEMATHESIS: pip install -r tests/schemathesis_requirements.txt" >&2; exit 1; }
TOOL=$(realpath -s "$TOOL")
FOLDER=$(mktemp -d)
STACK=

finish() {
  local code=$?
  if [ -n "$STACK" ]; then
    kill -INT "$STACK" 2>/dev/null || true
    wait "$STACK" 2>/dev/null || true
  fi
  if [ "$code" != 0 ]; then
    echo "FAIL  see above; the service said:" >&2
    tail -n 40 "$FOLDER/stack.log" >&2 || true
  fi
  rm -rf "$FOLDER"
  exit "$code"
}
trap finish EXIT

cat >"$FOLDER/fleet.yaml" <<'FLEET'
orchestration:
  sync_sla_ms: 1000
  auth: { mode: "off" }
  registry_networks: [127.0.0.0/8]
detectors:
  steady:
    endpoint: http://127.0.0.1:8001/detect
    capabilities: [pii]
    mock: { latency: { constant: { ms: 1 } } }
  flaky:
    endpoint: http://127.0.0.1:8002/detect
    max_retries: 0
    breaker: { open_ms: 200, consecutive_failures: 2 }
    mock: { success_rate: 0.5, latency: { constant: { ms: 1 } } }
FLEET
"$SPARRING" up --config "$FOLDER/fleet.yaml" --free-ports --quiet >"$FOLDER/stack.log" 2>&1 &
STACK=$!

BASE=
for _ in $(seq 300); do
  BASE=$(sed -n 's|^orchestrator *\(http://[0-9.:]*\).*|\1|p' "$FOLDER/stack.log")
  if [ -n "$BASE" ] && curl -fs "$BASE/health/ready" >/dev/null; then break; fi
  kill -0 "$STACK" 2>/dev/null || { echo "the stack did not start" >&2; exit 1; }
  BASE=
  sleep 0.2
done
[ -n "$BASE" ] || { echo "the stack was not ready within 60 s" >&2; exit 1; }

# A stream of events does not end; its tests are in crates/orchestrator/tests.
SETTINGS=$PWD/tests/schemathesis.toml
# It leaves a folder where it is started.
(cd "$FOLDER" && timeout "$LONGEST_S" "$TOOL" --config-file "$SETTINGS" run "$BASE/openapi.json" \
  --exclude-path /events/stream --phases examples,coverage,fuzzing \
  --max-examples "$EXAMPLES" --seed "$SEED" --request-timeout 20 \
  --continue-on-failure --no-color --warnings off)

# Still there, and none of it was a panic.
curl -fs "$BASE/health" >/dev/null
if grep -n "panicked" "$FOLDER/stack.log"; then exit 1; fi
echo "ok    the API is what it says"
