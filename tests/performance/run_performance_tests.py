#!/usr/bin/env python3
"""run_performance_tests.py --test-type T or --report-only: tests of the orchestrator; without either, those of acso.

All other flags are those of `sparring test`: --filter, --quick-check, --config, --output, --verbose, ...
"""

import os
import sys

binary = os.environ.get("SPARRING") or "sparring"
is_orchestrator = any(word.split("=")[0] in ("--test-type", "--report-only") for word in sys.argv[1:])
suite = [] if is_orchestrator else ["acso"]
os.execvp(binary, [binary, "test", *suite, *sys.argv[1:]])
