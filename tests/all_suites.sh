#!/usr/bin/env bash
# Runs `all` of each suite in little time. Each has to come to a verdict, whatever it is at such a scale, and to leave a whole and
# sound record: every planned test, numbers that can be computed again, and the published schema.
#
#   tests/all_suites.sh                          the scales below, less than ten minutes together
#   tests/all_suites.sh acis=0.01 acso=0.02      these suites at these scales
#
# SPARRING names the binary (target/debug/sparring), RESULTS the folder (target/all-suites), PYTHON an interpreter with jsonschema.
set -euo pipefail
cd "$(dirname "$0")/.."

SPARRING=${SPARRING:-target/debug/sparring}
RESULTS=${RESULTS:-target/all-suites}
PYTHON=${PYTHON:-python3}
# Where steps of an unscaled second and more prevail, as in the searches of aiaas, a smaller scale would save nothing.
[ $# -gt 0 ] || set -- orchestrator=0.02 acso=0.02 aiaas=0.002 acis=0.005 agent360=0.001

is_sound() { # REPORT
  "$SPARRING" verify "$1" &&
    "$PYTHON" - "$1" docs/schemas/report.schema.json <<'PYTHON'
import json, sys
import jsonschema

report, schema = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:])
errors = list(jsonschema.Draft202012Validator(schema).iter_errors(report))
for error in errors[:10]:
    print(f"{sys.argv[1]}: {error.json_path}: {error.message[:200]}", file=sys.stderr)
whole = report["complete"] and not report["not_run"]
if not whole:
    print(f"{sys.argv[1]}: {report['incomplete_because']}, not run: {report['not_run']}", file=sys.stderr)
print(f"{report['suite']}: {len(report['tests'])} tests, {report['outcome']}, {report['duration_s']:.0f} s")
sys.exit(bool(errors) or not whole)
PYTHON
}

run() { # SUITE=SCALE
  local suite=${1%%=*} scale=${1#*=} code=0 report
  timeout 900 "$SPARRING" test "$suite" all --time-scale "$scale" --quiet --results "$RESULTS/$suite" >"$RESULTS.$suite.log" 2>&1 || code=$?
  # Passed, inconclusive, not to be trusted, failed: verdicts. Anything else is no verdict.
  case $code in
    0 | 4 | 5 | 99) ;;
    *) echo "sparring test $suite all: exit code $code" >&2; tail -20 "$RESULTS.$suite.log" >&2; return 1 ;;
  esac
  for report in "$RESULTS/$suite"/*/report.json; do is_sound "$report" || return 1; done
  echo "$suite at $scale: exit code $code ($SECONDS s)"
}

rm -rf "$RESULTS"
mkdir -p "$(dirname "$RESULTS")"
# The drills of the orchestrator wait for breakers most of their time, and the users of acso think: they run beside the others.
beside=()
for pair in "$@"; do
  case $pair in
    orchestrator=* | acso=*) run "$pair" & beside+=($!) ;;
    *) run "$pair" ;;
  esac
done
for lane in "${beside[@]}"; do wait "$lane"; done
