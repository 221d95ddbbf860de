"""The load of a suite's plan, for Locust: beside a locustfile, in the place of -u, -r and -t.

    SPARRING_LOCUST_PLAN='[{"end_s": 10, "users": 100, "per_s": 10}, {"end_s": 600, "users": 100, "per_s": 10}]' \\
        locust -f tests/locust/acis.py,tests/locust/plan_shape.py --headless --host http://localhost:8000

Each phase lasts until end_s, in seconds from the begin; users start and stop per_s a second until there are
as many as the phase names. `sparring test --with-locust` makes the variable from the plan of a test.
"""

import json
import os

from locust import LoadTestShape


class PlanShape(LoadTestShape):
    phases = json.loads(os.environ["SPARRING_LOCUST_PLAN"])

    def tick(self):
        elapsed = self.get_run_time()
        for phase in self.phases:
            if elapsed < phase["end_s"]:
                return phase["users"], phase["per_s"]
        return None
