#!/usr/bin/env python3
"""test_scalability.py: `sparring test acso scalability stress`, with the flags of `sparring test`."""

import os
import sys

binary = os.environ.get("SPARRING") or "sparring"
os.execvp(binary, [binary, "test", "acso", "scalability", "stress", *sys.argv[1:]])
