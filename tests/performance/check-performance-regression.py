#!/usr/bin/env python3
"""check-performance-regression.py RESULTS BASELINE: exit code 3 when RESULTS is worse than BASELINE.

Both are a run's folder, its report.json, or a JSON file in one of the documents' formats.
"""

import os
import sys

if len(sys.argv) < 3:
    sys.exit(__doc__)
binary = os.environ.get("SPARRING") or "sparring"
os.execvp(binary, [binary, "compare", sys.argv[2], sys.argv[1], *sys.argv[3:]])
