"""Load on ACSO (agents, message bus, workflows), for Locust.

    locust -f tests/locust/acso.py --host http://localhost:8000 -u 100 -r 10 -t 5m --headless

ACSOUser: threat detection 40, service orchestration 35, financial analysis 25; 4 to 6 s between.
"""

import random

from locust import HttpUser, between, task


class ACSOUser(HttpUser):
    wait_time = between(4, 6)

    @task(40)
    def threats(self):
        self.client.post("/api/v1/threats/analyze", json={
            "threat_type": random.choice(["malware", "phishing", "intrusion", "data_exfiltration", "ransomware"]),
            "complexity": random.choices(["low", "medium", "high"], [50, 35, 15])[0],
            "indicators": [f"indicator-{n}" for n in range(random.randint(1, 20))],
        })

    @task(35)
    def services(self):
        self.client.post("/api/v1/services/orchestrate", json={
            "service": random.choice(["patch_management", "maintenance", "delivery"]),
            "targets": [f"host-{n}" for n in range(random.randint(1, 5))],
        })

    @task(25)
    def finance(self):
        self.client.post("/api/v1/finance/analyze", json={
            "analysis": random.choices(["cost_optimisation", "revenue", "forecast"], [50, 25, 25])[0],
            "months": random.randint(1, 12),
        })
