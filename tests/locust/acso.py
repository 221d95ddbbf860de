"""Load on ACSO (agents, message bus, workflows), for Locust.

    locust -f tests/locust/acso.py --host http://localhost:8000 -u 100 -r 10 -t 5m --headless ACSOUser

Threats    threat detection alone
Services   service orchestration alone
Finance    financial analysis alone
ACSOUser   threat detection 40, service orchestration 35, financial analysis 25

All of them wait 4 to 6 s between two operations. Without a class, Locust runs all four: their weights keep the shares
of 40, 35 and 25 %.
"""

import random

from locust import HttpUser, between, task

THREATS = ["malware", "phishing", "intrusion", "data_exfiltration", "ransomware"]


class Operator(HttpUser):
    """The three operations. Abstract: Locust runs only what derives from it."""

    abstract = True
    wait_time = between(4, 6)

    def analyse_threat(self):
        self.client.post("/api/v1/threats/analyze", json={
            "threat_type": random.choice(THREATS),
            "complexity": random.choices(["low", "medium", "high"], [50, 35, 15])[0],
            "indicators": [f"indicator-{n}" for n in range(random.randint(1, 20))],
        })

    def orchestrate_service(self):
        self.client.post("/api/v1/services/orchestrate", json={
            "service": random.choice(["patch_management", "maintenance", "delivery"]),
            "targets": [f"host-{n}" for n in range(random.randint(1, 5))],
        })

    def analyse_finance(self):
        self.client.post("/api/v1/finance/analyze", json={
            "analysis": random.choices(["cost_optimisation", "revenue", "forecast"], [50, 25, 25])[0],
            "months": random.randint(1, 12),
        })


class Threats(Operator):
    weight = 40

    @task
    def threats(self):
        self.analyse_threat()


class Services(Operator):
    weight = 35

    @task
    def services(self):
        self.orchestrate_service()


class Finance(Operator):
    weight = 25

    @task
    def finance(self):
        self.analyse_finance()


class ACSOUser(Operator):
    weight = 100

    @task(40)
    def threats(self):
        self.analyse_threat()

    @task(35)
    def services(self):
        self.orchestrate_service()

    @task(25)
    def finance(self):
        self.analyse_finance()
