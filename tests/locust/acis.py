"""Load on ACIS (clients, predictions, trades, background jobs), for Locust.

    locust -f tests/locust/acis.py --host http://localhost:8000 -u 100 -r 10 -t 5m --headless ACISAPIUser

ACISAPIUser          clients 50, predictions 40, trades 10; 0.3 to 0.9 s between
ACISStressTestUser   predictions 60, optimisations 20, bulk trades 20; 0.05 to 0.2 s between
ACISBackgroundJobUser   model training 1, bulk fetch 3, rebalancing 2; 5 to 15 s between; each job is
                     followed until it is completed
"""

import random
import time

from locust import HttpUser, between, task

SYMBOLS = ["AAPL", "MSFT", "GOOG", "AMZN", "NVDA", "TSLA"]
JOB_WITHIN_S = 110


def order():
    return {
        "client_id": random.randint(1, 1000),
        "symbol": random.choice(SYMBOLS),
        "side": random.choice(["buy", "sell"]),
        "quantity": random.randint(1, 100),
    }


class Predicting(HttpUser):
    """Asks for predictions. Abstract: Locust runs only what derives from it."""

    abstract = True

    def predict_one(self):
        symbol = random.choice(SYMBOLS)
        self.client.get(f"/api/ml/predict?symbol={symbol}", name="/api/ml/predict")


class ACISAPIUser(Predicting):
    wait_time = between(0.3, 0.9)

    @task(50)
    def clients(self):
        offset = random.randint(0, 900)
        self.client.get(f"/api/clients?limit=50&offset={offset}", name="/api/clients")

    @task(40)
    def predict(self):
        self.predict_one()

    @task(10)
    def trade(self):
        self.client.post("/api/trading/execute", json=order())


class ACISStressTestUser(Predicting):
    wait_time = between(0.05, 0.2)

    @task(60)
    def predict(self):
        self.predict_one()

    @task(20)
    def optimise(self):
        assets = [f"ASSET-{n}" for n in range(random.randint(5, 50))]
        body = {"client_id": random.randint(1, 1000), "assets": assets}
        self.client.post("/api/portfolio/optimize", json=body)

    @task(20)
    def bulk(self):
        orders = [order() for _ in range(random.randint(5, 20))]
        self.client.post("/api/trading/bulk", json={"orders": orders})


class ACISBackgroundJobUser(HttpUser):
    wait_time = between(5, 15)

    @task(1)
    def train(self):
        self.job("/api/ml/train", {"model": "returns", "epochs": random.randint(1, 5)})

    @task(3)
    def fetch(self):
        self.job("/api/data/bulk-fetch", {"symbols": SYMBOLS, "days": random.randint(30, 365)})

    @task(2)
    def rebalance(self):
        self.job("/api/portfolio/rebalance", {"client_id": random.randint(1, 1000)})

    def job(self, path, body):
        accepted = self.client.post(path, json=body)
        if accepted.status_code != 202:
            return
        status = f"/api/jobs/{accepted.json()['job_id']}"
        deadline = time.monotonic() + JOB_WITHIN_S
        while time.monotonic() < deadline:
            time.sleep(2)
            with self.client.get(status, name="/api/jobs/{id}", catch_response=True) as response:
                if response.status_code != 200:
                    response.failure(f"Status code: {response.status_code}")
                    return
                if response.json()["status"] == "completed":
                    return
        with self.client.get(status, name="/api/jobs/{id}", catch_response=True) as response:
            response.failure(f"job not completed after {JOB_WITHIN_S} s")
