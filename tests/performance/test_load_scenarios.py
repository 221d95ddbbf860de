#!/usr/bin/env python3
"""test_load_scenarios.py: `sparring test acso load`, with the flags of `sparring test`."""

import os
import sys

binary = os.environ.get("SPARRING") or "sparring"
os.execvp(binary, [binary, "test", "acso", "load", *sys.argv[1:]])
