"""The users of one target system, for Locust. PERF_SYSTEM names it (default: aiaas).

    PERF_SYSTEM=acis locust -f tests/performance/locustfile.py --host http://localhost:8000

The classes are those of tests/locust/{acso,aiaas,acis,agent360}.py.
"""

import importlib.util
import os
import pathlib

from locust import HttpUser

SYSTEMS = ("acso", "aiaas", "acis", "agent360")
system = os.environ.get("PERF_SYSTEM") or "aiaas"
if system not in SYSTEMS:
    raise SystemExit(f'PERF_SYSTEM is "{system}"; use one of {", ".join(SYSTEMS)}')

path = pathlib.Path(__file__).resolve().parent.parent / "locust" / f"{system}.py"
spec = importlib.util.spec_from_file_location(f"sparring_{system}", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
globals().update(
    {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, HttpUser) and value is not HttpUser
    }
)
