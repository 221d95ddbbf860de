#!/usr/bin/env bash
# Checks that the orchestrator and the target systems conform to their /openapi.json for any input.
#
#   tests/schemathesis.sh               exit code 0: every answer was as described, and no 5xx but
#                                       those that a fleet with faults or a full system may bring
#   tests/schemathesis.sh acis          only these: orchestrator or names of target systems
#   SPARRING=path tests/...             the binary [default: target/debug/sparring]
#   SCHEMATHESIS=path tests/...         the tool, from tests/schemathesis_requirements.txt
#   SCHEMATHESIS_EXAMPLES=200 tests/... so many made-up requests an operation [default: 25, of a system 10]
#   SCHEMATHESIS_SEED=7 tests/...       other requests
#
# All listen on free ports of this machine; detectors can only be registered there.
set -euo pipefail
cd "$(dirname "$0")/.."

SPARRING=${SPARRING:-${CARGO_TARGET_DIR:-target}/debug/sparring}
SCHEMATHESIS=${SCHEMATHESIS:-schemathesis}
EXAMPLES=${SCHEMATHESIS_EXAMPLES:-25}
SEED=${SCHEMATHESIS_SEED:-1}
LONGEST_S=170
TOOL=$(command -v "$SCHEMATHESIS") || { echo "no $SCHEMATHESIS: pip install -r tests/schemathesis_requirements.txt" >&2; exit 1; }
TOOL=$(realpath -s "$TOOL")
SETTINGS=$PWD/tests/schemathesis.toml
FOLDER=$(mktemp -d)
LOG=
SERVED=
[ $# -gt 0 ] || set -- orchestrator acso aiaas acis agent360

stop() {
  [ -n "$SERVED" ] || return 0
  kill -INT "$SERVED" 2>/dev/null || true
  wait "$SERVED" 2>/dev/null || true
  SERVED=
}

finish() {
  local code=$?
  stop
  if [ "$code" != 0 ]; then
    echo "FAIL  see above; the log of the service:" >&2
    tail -n 40 "$LOG" >&2 || true
  fi
  rm -rf "$FOLDER"
  exit "$code"
}
trap finish EXIT

# Starts the given command; BASE is the first address after a word in its output.
start() { # WORD ARGUMENT...
  local word=$1
  shift
  "$SPARRING" "$@" --quiet >"$LOG" 2>&1 &
  SERVED=$!
  for _ in $(seq 300); do
    BASE=$(sed -n "s|^$word *\(http://[0-9.:]*\).*|\1|p" "$LOG" | head -n 1)
    if [ -n "$BASE" ] && curl -fs "$BASE/health/ready" >/dev/null; then return 0; fi
    kill -0 "$SERVED" 2>/dev/null || { echo "$word did not start" >&2; return 1; }
    sleep 0.2
  done
  echo "$word was not ready within 60 s" >&2
  return 1
}

# Sends generated requests; afterwards the service still runs and has not panicked. One worker: the tool reads sources
# with Python's `ast`, whose depth is counted for all threads together from 3.11 on, and with several workers it now
# and then ends in "AST constructor recursion depth mismatch" or a RecursionError.
judge() { # ARGUMENT...
  # The tool leaves a folder in its working directory.
  (cd "$FOLDER" && timeout "$LONGEST_S" "$TOOL" --config-file "$SETTINGS" run "$BASE/openapi.json" \
    --phases examples,coverage,fuzzing --max-examples "$EXAMPLES" --seed "$SEED" --request-timeout 20 \
    --continue-on-failure --no-color --warnings off "$@")
  curl -fs "$BASE/health" >/dev/null
  if grep -n "panicked" "$LOG"; then return 1; fi
}

# Every operation of a system takes a millisecond: response times are not described.
shorten() {
  curl -fs "$BASE/__admin/profile" | python3 -c '
import json, sys
short = {"cpu_ms": 0, "service_ms": 1, "per": None}
components = json.load(sys.stdin)["components"].items()
print(json.dumps({"components": {
    name: {"operations": {each: short for each in component["operations"]}} for name, component in components
}}))' | curl -fs -X PATCH -H 'Content-Type: application/json' -o /dev/null "$BASE/__admin/profile" -d @-
}

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

for service in "$@"; do
  LOG=$FOLDER/$service.log
  if [ "$service" = orchestrator ]; then
    start orchestrator up --config "$FOLDER/fleet.yaml" --free-ports
    # A stream of events does not end; its tests are in crates/orchestrator/tests.
    judge --exclude-path /events/stream
  else
    start "$service" target "$service" --port 0
    shorten
    EXAMPLES=${SCHEMATHESIS_EXAMPLES:-10} judge --workers 1
  fi
  stop
done
echo "ok    the APIs conform to their descriptions"
