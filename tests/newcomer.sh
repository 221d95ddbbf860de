#!/usr/bin/env bash
# Checks that a fresh clone works as the README says, for a reader who knows nothing else. Prints the time of each
# command.
#
#   tests/newcomer.sh                 clones this repository and runs the README's commands in the clone
#   tests/newcomer.sh --list          prints the commands, and does nothing
#   NEWCOMER_TARGET=FOLDER tests/...  uses this target folder instead of an empty one
#
# The first command is run as written: it compiles everything, which takes minutes. The others use the binary that it
# built; long ones are shortened, and those for a service elsewhere use the clone's own stack. Needs git, cargo and
# curl, and the ports 8000 to 8005 and 8100.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)

# The commands of the `sh` blocks, each on one line, without their comments.
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

# Starts a long-running command, and waits until it is ready.
left() { # URL WORDS...
  local url=$1; shift
  bash -c "exec $*" </dev/null >/dev/null 2>&1 &
  timed "until curl -sf -o /dev/null $url; do sleep 0.1; [ \$SECONDS -lt 30 ] || exit 1; done  # $*"
}

# The treatment of a command, by its beginning.
one() { # COMMAND
  case $1 in
    *"cargo run --release -- test smoke") timed "$1"; export PATH=$BUILT:$PATH ;;
    "cargo test --workspace" | "docker compose"* | "sparring compare"*) echo "      -  skipped: $1" ;;
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
    *) echo "unknown command: $1" >&2; FAILED=1 ;;
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
[ "${#ALL[@]}" -gt 5 ] || { echo "the README has only ${#ALL[@]} commands" >&2; exit 1; }
for command in "${ALL[@]}"; do one "$command"; done
# Installed as in the guide for CI, from the build of the first command.
timed "cargo install --locked --path crates/sparring --root $FOLDER/installed && $FOLDER/installed/bin/sparring --version"
[ -z "$FAILED" ] || { echo "some commands failed" >&2; exit 1; }
echo "${#ALL[@]} commands of the README work in a fresh clone"
