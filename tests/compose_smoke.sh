#!/usr/bin/env bash
# Checks that docker-compose.test.yml starts a complete, healthy stack that works as the README says.
#
#   tests/compose_smoke.sh            everything below; ends by itself, exit code 0: all of it held
#   SMOKE_KEEP=1 tests/...            leaves the stack running for a look
#   SMOKE_BINARY=path tests/...       puts this binary into the image instead of compiling
#   SMOKE_GRAFANA=1 tests/...         starts Grafana as well (it has no offline stand-in)
#
# Images are pulled. If no registry can be reached, OFFLINE_DOCKER names a script that starts an engine
# and tags local stand-ins (default: ../shared/tools/offline-docker.sh, if it exists).
set -euo pipefail
cd "$(dirname "$0")/.."

FILE=docker-compose.test.yml
OFFLINE_DOCKER=${OFFLINE_DOCKER:-../shared/tools/offline-docker.sh}
# shellcheck source=/dev/null
set -a; . ./.env; set +a
export COMPOSE_PROJECT_NAME=sparring-smoke
BASE=http://127.0.0.1:$ORCHESTRATION_PORT
PROMETHEUS=127.0.0.1:$PROMETHEUS_PORT
LOCUST=http://127.0.0.1:$LOCUST_PORT
HELD=0

say() { printf '\n== %s\n' "$*"; }
held() { HELD=$((HELD + 1)); printf 'ok    %s\n' "$*"; }
fail() { printf 'FAIL  %s\n' "$*" >&2; exit 1; }
compose() {
  if docker compose version >/dev/null 2>&1; then docker compose -f "$FILE" "$@"
  else docker-compose -f "$FILE" "$@"; fi
}

# DET-02, DET-03: Compose v2 if it is installed, otherwise 1.29. The untested one is reported.
say_which_compose() {
  if docker compose version >/dev/null 2>&1; then
    held "Compose v2 runs the stack ($(docker compose version --short))"
  else
    printf 'SKIP  Compose v2 is not available: docker-compose %s runs the stack, v2 is not tested\n' \
      "$(docker-compose version --short)"
  fi
}

# Waits until a command succeeds: until 60 "what" command...
until_holds() {
  local seconds=$1 what=$2; shift 2
  local deadline=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "timeout after $seconds s: $what"
    sleep 0.5
  done
  held "$what"
}

down() {
  compose --profile load --profile drill --profile replicas --profile targets down -v --remove-orphans -t 5 >/dev/null 2>&1
}

left_over() {
  for kind in "container ls -aq" "network ls -q" "volume ls -q"; do
    # shellcheck disable=SC2086
    docker $kind --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME"
  done
}

finish() {
  local code=$?
  # Load that is still running: only processes that this script started.
  # shellcheck disable=SC2046
  kill $(jobs -p) 2>/dev/null || true
  if [ "$code" != 0 ]; then
    say "state at the failure"
    compose ps || true
    compose logs --tail 20 || true
  fi
  [ -n "${SMOKE_KEEP:-}" ] || down || true
  exit "$code"
}

prepare_images() {
  if docker info >/dev/null 2>&1 && timeout 60 docker pull -q "$REDIS_IMAGE" >/dev/null 2>&1; then
    compose pull --quiet redis prometheus locust
    return
  fi
  [ -x "$OFFLINE_DOCKER" ] || fail "no registry can be reached, and $OFFLINE_DOCKER does not exist"
  BASE_TAG=$BASE_IMAGE REDIS_TAG=$REDIS_IMAGE PROMETHEUS_TAG=$PROMETHEUS_IMAGE LOCUST_TAG=$LOCUST_IMAGE \
    "$OFFLINE_DOCKER" base redis prometheus locust
  SMOKE_BINARY=${SMOKE_BINARY:-$(build_outside)}
}

build_outside() {
  "${CARGO:-cargo}" build --quiet --release --package sparring >&2
  echo "${CARGO_TARGET_DIR:-target}/release/sparring"
}

build_image() {
  if [ -n "${SMOKE_BINARY:-}" ]; then
    mkdir -p dist
    strip -o dist/sparring "$SMOKE_BINARY"
    export SPARRING_BUILD_TARGET=prebuilt
  fi
  compose build --quiet mock-detector-success 2>/dev/null || compose build mock-detector-success
  # What is pulled: the compressed layers.
  local base image
  base=$(docker save "$BASE_IMAGE" | gzip | wc -c)
  image=$(docker save "$SPARRING_IMAGE" | gzip | wc -c)
  local added=$(((image - base) / 1000000))
  [ "$added" -lt 40 ] || [ -n "${SMOKE_ANY_SIZE:-}" ] || fail "the image adds $added MB to what is pulled; the maximum is 40"
  held "the image adds $added MB to what is pulled for its base"
  [ "$(in_image id -u)" = 10001 ] || fail "the image runs as user $(in_image id -u)"
  [[ $(in_image k6 version) = *k6* ]] || fail "the binary cannot be called as k6"
  [[ $(docker image inspect -f '{{.Config.Healthcheck.Test}}' "$SPARRING_IMAGE") = *'sparring health'* ]] \
    || fail "the image's health check does not use the binary"
  held "it runs as nobody special, on a read-only root, under both names, and asks for its own health"
}

in_image() { # PROGRAM ARGUMENTS...
  local program=$1; shift
  docker run --rm --read-only --network none --entrypoint "$program" "$SPARRING_IMAGE" "$@"
}

healthy() {
  local id
  id=$(compose ps -q "$1") && [ -n "$id" ] || return 1
  [ "$(docker inspect -f '{{.State.Health.Status}}' "$id")" = healthy ]
}

post() { # PATH BODY: prints the status, the body is in $ANSWER
  curl -s -o "$ANSWER" -w '%{http_code}' -m 10 "$BASE$1" -H 'Content-Type: application/json' -H 'X-API-Key: test-key' -d "$2"
}

expect() { # WHAT WANTED GOT
  case " $2 " in *" $3 "*) held "$1" ;; *) fail "$1: $3 instead of $2: $(head -c 400 "$ANSWER")" ;; esac
}

# The lines of README.md and docs/STACK.md that begin with curl, each with its continuation lines.
curl_lines() {
  cat README.md docs/STACK.md | sed -e ':more' -e '/\\$/{N;s/\\\n */ /;b more' -e '}' | grep '^curl ' | sort -u
}

readme_lines() {
  local line answer count=0
  while IFS= read -r line; do
    answer=$(bash -c "set -o pipefail; ${line//localhost:8000/127.0.0.1:$ORCHESTRATION_PORT}" 2>&1) && [ -n "$answer" ] \
      || fail "no response to a line of the README: $line: $answer"
    # An error states whether a retry helps; a partial answer counts as an answer.
    [[ $answer != *'"retryable"'* ]] || fail "a line of the README is rejected: $line: $answer"
    count=$((count + 1))
  done < <(curl_lines)
  [ "$count" -ge 3 ] || fail "the README has only $count lines with curl"
  held "the $count curl lines of the README answer"
}

answers() {
  fetched_has '"status":"healthy"' "$BASE/health" || fail "the orchestrator is not healthy"
  held "the orchestrator says that it is healthy"
  for port in "$MOCK_SUCCESS_PORT" "$MOCK_VARIABLE_PORT" "$MOCK_FAILING_PORT" "$MOCK_TIMEOUT_PORT" "$MOCK_BATCH_PORT"; do
    curl -sf -o /dev/null "http://127.0.0.1:$port/health" || fail "no mock detector responds on port $port"
  done
  held "five mock detectors answer"
  expect "a request is answered" "200 206" "$(post /orchestrate '{"content": "Write to jane@example.com", "content_type": "text"}')"
  grep -q detector_results "$ANSWER" || fail "the response contains no detector results"
  expect "a malformed request is refused" "400" "$(post /orchestrate '{')"
}

# Whether the response of curl matches. grep reads to the end, since an early exit would end curl with an error.
fetched_has() { # PATTERN CURL-ARGUMENT...
  local pattern=$1; shift
  [ "$(curl -sf -m 10 "$@" | grep -c -- "$pattern")" -gt 0 ]
}

prom() { # QUERY: succeeds when it has a result
  fetched_has '"value"' -G "http://$PROMETHEUS/api/v1/query" --data-urlencode "query=$1"
}

toggle() {
  local mock=http://127.0.0.1:$MOCK_SUCCESS_PORT/__admin/profile
  curl -sf -o /dev/null -X PATCH "$mock" -H 'Content-Type: application/json' -d '{"success_rate": 0.0}' || fail "the mock rejected the new profile"
  background_load 40 &
  local load=$!
  until_holds 40 "a failing detector opens its breaker in Prometheus" \
    prom 'circuit_breaker_state{detector="mock-detector-success",state="open"} == 1'
  until_holds 40 "the alert fires" prom 'ALERTS{alertname="CircuitBreakerOpen",alertstate="firing"}'
  curl -sf -o /dev/null -X PATCH "$mock" -H 'Content-Type: application/json' -d '{"success_rate": 1.0}'
  wait "$load"
}

background_load() { # SECONDS: about ten requests a second
  local end=$((SECONDS + $1)) n=0
  while [ "$SECONDS" -lt "$end" ]; do
    n=$((n + 1))
    curl -s -o /dev/null -m 5 "$BASE/orchestrate" -H 'Content-Type: application/json' -H 'X-API-Key: test-key' \
      -d "{\"content\": \"smoke $n of $$\", \"content_type\": \"text\"}" &
    sleep 0.1
    [ $((n % 20)) -ne 0 ] || wait
  done
  wait
}

locust_passes() {
  compose run --rm --no-deps -T -e LOCUST_USERS=6 -e LOCUST_SPAWN_RATE=6 -e LOCUST_RUN_TIME="${SMOKE_LOCUST_TIME:-20s}" \
    locust -f /mnt/locust/locustfile_orchestration.py --headless --host http://orchestration:8000 --only-summary \
    >"$ANSWER" 2>&1 || { tail -60 "$ANSWER"; fail "Locust does not pass"; }
  held "Locust passes: $(grep -o 'verdict: .*' "$ANSWER")"
}

locust_workers() { # NUMBER
  curl -sf "$LOCUST/stats/requests" | python3 -c 'import json, sys; sys.exit(len(json.load(sys.stdin)["workers"]) != int(sys.argv[1]))' "$1"
}

locust_requests() { # NUMBER: at least this many, and every worker has users
  curl -sf "$LOCUST/stats/requests" | python3 -c '
import json, sys
stats = json.load(sys.stdin)
total = next(each for each in stats["stats"] if each["name"] == "Aggregated")
sys.exit(total["num_requests"] < int(sys.argv[1]) or not all(worker["user_count"] for worker in stats["workers"]))' "$1"
}

locust_sent() { # NAME
  fetched_has "\"$1\"" "$LOCUST/stats/requests"
}

# DET-05, DET-36: Locust's page starts a run of two workers.
locust_is_distributed() {
  until_holds 60 "two Locust workers have come to their master" locust_workers 2
  curl -sf -o /dev/null "$LOCUST/swarm" -d user_count=4 -d spawn_rate=4 -d host=http://orchestration:8000 \
    || fail "Locust's master does not start a run"
  until_holds 60 "both Locust workers send requests" locust_requests 20
  # The next task of a user is random.
  until_holds 120 "Locust's users have sent what is wrong, too" locust_sent 'fault: malformed JSON'
}

driver_passes() {
  local code=0
  K6_SMOKE_DURATION=${K6_SMOKE_DURATION:-20s} TESTID=smoke \
    compose --profile load run --rm -T load >"$ANSWER" 2>&1 || code=$?
  [ "$code" = 0 ] || { tail -60 "$ANSWER"; fail "the driver's smoke run ended with exit code $code"; }
  held "the driver's smoke run passes"
  until_holds 15 "the driver's samples are in Prometheus" prom 'last_over_time(k6_http_reqs_total[5m])'
}

drill_passes() { # NAME
  local code=0
  compose --profile drill run --rm -T drill drill "/tests/suites/drill-$1.yaml" >"$ANSWER" 2>&1 || code=$?
  [ "$code" = 0 ] || { tail -60 "$ANSWER"; fail "the drill $1 ended with exit code $code"; }
  held "the drill $1 passes: $(grep -o 'time to .*' "$ANSWER" | paste -sd, | sed 's/,/, /g')"
}

# One of two replicas is killed while both receive jobs.
replicas_lose_nothing() {
  # A breaker that is still open would fail jobs for another reason.
  until_holds 150 "the breaker closes again" recovers
  compose --profile replicas up -d orchestration-replica >/dev/null 2>&1
  until_holds 60 "the second orchestrator is healthy" healthy orchestration-replica
  until_holds 60 "Prometheus finds both behind the name" prom 'count(up{job="orchestrator"} == 1) == 2'
  # Long enough that the kill falls into it even when Prometheus is slow to see the second one.
  compose --profile load run --rm -T -e REPLICA_DURATION=75s \
    -e REPLICA_URLS=http://orchestration-first:8000,http://orchestration-second:8000 \
    load run --quiet /scripts/replicas.js >"$ANSWER" 2>&1 &
  local load=$! code=0
  until_holds 60 "both orchestrators are given jobs" have_jobs
  kill -0 "$load" 2>/dev/null || fail "the run with jobs ended before a replica could be killed"
  docker kill -s KILL "$(compose --profile replicas ps -q orchestration-replica)" >/dev/null
  wait "$load" || code=$?
  [ "$code" = 0 ] || { grep -v '^ ' "$ANSWER" | head -20; tail -60 "$ANSWER"; fail "jobs were lost with a replica: the driver ended with exit code $code"; }
  grep -q 'requests_unanswered' "$ANSWER" || fail "no request reached the killed replica, so the check is void"
  held "a killed replica loses no job: $(grep -o 'jobs_a[a-z]*\.*: [0-9]*' "$ANSWER" | sed 's/\.*:/:/' | paste -sd, | sed 's/,/, /g')"
}

recovers() { # one more call, then a query to Prometheus
  post /orchestrate "{\"content\": \"again at $SECONDS\", \"content_type\": \"text\"}" >/dev/null
  prom 'circuit_breaker_state{detector="mock-detector-success",state="closed"} == 1'
}

have_jobs() {
  prom 'count(sum by (instance) (increase(orchestrate_requests_total{processing_mode="async"}[30s])) > 5) == 2'
}

# Requests the health of a simulated system, and an operation that uses its resources.
system_answers() { # NAME PORT CURL-ARGUMENT...
  local name=$1 base=http://127.0.0.1:$2; shift 2
  fetched_has '"status":"healthy"' "$base/health" || fail "$name is not healthy"
  curl -sf -m 30 -o "$ANSWER" -H 'Content-Type: application/json' "${@/#\//$base/}" || fail "$name does not respond"
  fetched_has '^sparring_target_requests_total{.*status="200"' "$base/metrics" || fail "$name does not count requests"
}

systems_answer() {
  local service systems=(target-acso target-aiaas target-acis target-agent360)
  compose --profile targets up -d "${systems[@]}" >/dev/null 2>&1 || compose --profile targets up -d "${systems[@]}"
  for service in "${systems[@]}"; do until_holds 60 "$service is healthy" healthy "$service"; done
  system_answers acso "$ACSO_PORT" /api/v1/agents
  system_answers aiaas "$AIAAS_PORT" /api/v1/chat/message -d '{"message": "hello", "session_id": "smoke"}'
  system_answers acis "$ACIS_PORT" '/api/ml/predict?symbol=AAPL'
  system_answers agent360 "$AGENT360_PORT" /agent/execute -d '{"query": "smoke", "tools": ["database_tool"]}'
  held "the four systems answer"
  until_holds 60 "Prometheus has what each of them answered" \
    prom 'count(sum by (system) (sparring_target_requests_total{job="targets",status="200"}) >= 1) == 4'
  compose --profile targets rm -sf "${systems[@]}" >/dev/null 2>&1
  for service in "${systems[@]}"; do
    [ -z "$(docker ps -q --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
      --filter "label=com.docker.compose.service=$service")" ] || fail "$service does not stop"
  done
  held "the systems stop"
}

# Every page that users open exists, is complete, and its scripts run.
pages_look_right() {
  local code=0 alerts=$PROMETHEUS/alerts
  # Debian's build has only the classic pages.
  curl -sf -o /dev/null "http://$alerts" || alerts=$PROMETHEUS/classic/alerts
  python3 tests/look_at_pages.py "${SMOKE_PICTURES:-results/pages}" \
    docs "$BASE/docs" 'Detector orchestration|Up to 100 requests at once|All circuit breakers' \
    alerts "http://$alerts" 'CircuitBreakerOpen|ErrorBudgetBurnsFast|JobsStuck|RedisDown' \
    locust "$LOCUST" 'orchestration:8000|orchestrate: text|fault: malformed JSON' || code=$?
  case $code in
    0) held "the pages look right" ;;
    3) [ -z "${CI:-}" ] || fail "there is no Chromium"
       printf 'SKIP  no Chromium, so the pages are not checked\n' ;;
    *) fail "a page has problems, see above" ;;
  esac
}

dashboards_have_data() {
  # The target systems (profile targets) do not run yet, so their dashboards have nothing to show.
  "${CARGO:-cargo}" xtask dashboards --prometheus "$PROMETHEUS" --without target-system --without api-performance || fail "queries without data, see above"
  held "every panel and every rule has data"
}

ANSWER=$(mktemp)
trap finish EXIT

say "images"
prepare_images
say_which_compose
build_image

say "up"
SERVICES=(mock-detector-success mock-detector-variable mock-detector-failing mock-detector-timeout
  mock-detector-batch orchestration redis prometheus locust)
[ -z "${SMOKE_GRAFANA:-}" ] || SERVICES+=(grafana)
compose up -d "${SERVICES[@]}" >/dev/null 2>&1 || compose up -d "${SERVICES[@]}"
for service in "${SERVICES[@]}"; do until_holds 90 "$service is healthy" healthy "$service"; done
compose up -d --scale locust-worker=2 locust-worker >/dev/null 2>&1

say "use"
answers
readme_lines
until_holds 60 "Prometheus scrapes all six" prom 'count(up{job=~"orchestrator|mock-detectors"} == 1) == 6'
locust_passes
driver_passes
locust_is_distributed
pages_look_right
curl -sf -o /dev/null -X POST "$LOCUST/stop" || curl -sf -o /dev/null "$LOCUST/stop" || fail "Locust does not stop"

say "break"
# The drills come first, since they restore everything; the other check leaves a breaker open.
drill_passes detector-dies
drill_passes all-slow
toggle

say "look"
dashboards_have_data

say "the target systems"
systems_answer

if [ -z "${SMOKE_WITHOUT_REPLICAS:-}" ]; then
  say "lose a replica"
  replicas_lose_nothing
fi

if [ -z "${SMOKE_KEEP:-}" ]; then
  say "down"
  down
  [ -z "$(left_over)" ] || fail "resources remain after down: $(left_over)"
  held "down leaves nothing behind"
fi
rm -f "$ANSWER"
printf '\n%d passed, 0 failed\n' "$HELD"
