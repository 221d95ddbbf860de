#!/usr/bin/env bash
# Does a fresh clone do what the README says, for somebody who knows nothing else? Prints the time of each command.
#
#   tests/newcomer.sh                 clones this repository and runs the README's commands in the clone
#   tests/newcomer.sh --list          prints the commands, and does nothing
#   NEWCOMER_TARGET=FOLDER tests/...  uses this target folder instead of an empty one
#
# The first command is run as it is written: it compiles everything, which takes minutes. The others are run with the
# binary that it built; in shorter words where they take long, and against the clone's own stack where they name a service
# of somebody else. Needs git, cargo and curl, and the ports 8000 to 8005 and 8100.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)

# The commands of the `sh` blocks, one a line, those over several lines in one, without their comments.
commands() { # FILE
  awk '
    /^```/ { inside = ($0 == "```sh"); next }
    !inside || $0 == "" { next }
    { sub(/  #.*/, ""); sub(/[ \t]+$/, ""); sub(/^[ \t]+/, "") }
    /\\$/ { sub(/[ \t]*\\$/, ""); kept = kept $0 " "; next }
    { print kept $0; kept = "" }
  ' "$1"
}

timed() { # WORDS...
  local begin=$SECONDS code=0
  bash -c "$*" </dev/null >"$OUT" 2>&1 || code=$?
  printf '%5s s  %s\n' "$((SECONDS - begin))" "$*"
  [ "$code" = 0 ] || { echo "exit code $code"; tail -50 "$OUT"; FAILED=1; }
}

# Starts what keeps running, and waits until it is there.
left() { # URL WORDS...
  local url=$1; shift
  bash -c "exec $*" </dev/null >/dev/null 2>&1 &
  timed "until curl -sf -o /dev/null $url; do sleep 0.1; [ \$SECONDS -lt 30 ] || exit 1; done  # $*"
}

# What is done about a command, by its begin.
one() { # COMMAND
  case $1 in
    *"cargo run --release -- test smoke") timed "$1"; export PATH=$BUILT:$PATH ;;
    "cargo test --workspace" | "docker compose"* | "sparring compare"*) echo "      -  left out: $1" ;;
    "sparring drill"*) timed "sparring check detectors.yaml && $1 --help" ;;
    "sparring up") left localhost:8000/health "sparring up -q" ;;
    "sparring target acis --port 8100") left localhost:8100/health "$1" ;;
    *" --base-url http://127.0.0.1:8080"*) timed "${1//8080/8100}" ;;
    "PERF_BASE_URL=https://staging.example.com sparring test smoke")
      timed "PERF_BASE_URL=http://127.0.0.1:8000 K6_SMOKE_DURATION=4s sparring test smoke" ;;
    "sparring test acis breakpoint"*)
      timed "sparring test acis breakpoint --time-scale 0.002 || [ \$? = 4 ] || [ \$? = 99 ]" ;;
    "sparring test shop.yaml --dry") timed "sparring test perf/suite.yaml --dry" ;;
    "sparring run script.js"*) timed "sparring run perf/load.js --vus 5 --duration 2s" ;;
    "sparring "* | "curl "*) timed "$1" ;;
    *) echo "nothing is known about: $1" >&2; FAILED=1 ;;
  esac
}

if [ "${1:-}" = --list ]; then
  commands "$ROOT/README.md"
  exit
fi

FOLDER=$(mktemp -d)
OUT=$FOLDER/out FAILED=
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$FOLDER"' EXIT
git clone -q "$ROOT" "$FOLDER/sparring"
cd "$FOLDER/sparring"
export CARGO_TARGET_DIR=${NEWCOMER_TARGET:-$PWD/target}
export XDG_STATE_HOME=$FOLDER/state
BUILT=$CARGO_TARGET_DIR/release
mapfile -t ALL < <(commands README.md)
[ "${#ALL[@]}" -gt 5 ] || { echo "the README has ${#ALL[@]} commands only" >&2; exit 1; }
for command in "${ALL[@]}"; do one "$command"; done
# As the guide for CI installs it, from what the first command has built.
timed "cargo install --locked --path crates/sparring --root $FOLDER/installed && $FOLDER/installed/bin/sparring --version"
[ -z "$FAILED" ] || { echo "some commands failed" >&2; exit 1; }
echo "${#ALL[@]} commands of the README work in a fresh clone"
