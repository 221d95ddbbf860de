"""Load on a multi-agent platform, for Locust.

    locust -f tests/locust/aiaas.py --host http://localhost:8000 -u 100 -r 10 -t 5m --headless

AIaaSUser logs in (again when its token has expired) and chats (5), looks at agents (3) and history (2), creates workflows (1) and reads
analytics (1), with 1 to 3 s between; HighLoadUser does nothing but chat, without a token, with 0.1
to 0.5 s between. Name a class on the command line to run it alone.
"""

import random

from locust import HttpUser, between, task


class Tenant(HttpUser):
    """A user of one tenant. Abstract: Locust runs only what derives from it."""

    abstract = True

    def renew(self):
        """Logs in again; False for those who never did."""
        return False

    def ask(self, method, path, status, **options):
        with self.client.request(method, path, headers=self.headers, catch_response=True, **options) as response:
            # An expired login is not a failure if the user can log in again.
            if response.status_code != 401 or not self.renew():
                self.expect(response, status)
                return
            response.success()
        with self.client.request(method, path, headers=self.headers, catch_response=True, **options) as response:
            self.expect(response, status)

    def expect(self, response, status):
        if response.status_code == status:
            response.success()
        else:
            response.failure(f"Status code: {response.status_code}")

    def fetch(self, path, name):
        self.ask("GET", path, 200, name=name)

    def send(self, path, body, status=200):
        self.ask("POST", path, status, json=body)


class AIaaSUser(Tenant):
    wait_time = between(1, 3)

    def on_start(self):
        self.tenant_id = f"tenant-{random.randint(1000, 9999)}"
        self.session_id = f"session-{random.randint(10000, 99999)}"
        self.headers = {"Content-Type": "application/json", "X-Tenant-ID": self.tenant_id}
        self.renew()

    def renew(self):
        self.headers.pop("Authorization", None)
        body = {"username": "test_user", "password": "test_password"}
        response = self.client.post("/api/v1/auth/login", json=body, headers=self.headers)
        if response.status_code == 200:
            self.headers["Authorization"] = f"Bearer {response.json()['token']}"
        return True

    @task(5)
    def chat(self):
        self.send("/api/v1/chat/message", {
            "message": f"Hello, I need help with my order #{random.randint(1000, 9999)}",
            "session_id": self.session_id,
            "metadata": {
                "priority": random.choice(["low", "medium", "high"]),
                "category": random.choice(["support", "sales", "billing"]),
            },
        })

    @task(3)
    def agents(self):
        self.fetch("/api/v1/agents", "/api/v1/agents")

    @task(2)
    def history(self):
        self.fetch(f"/api/v1/chat/history/{self.session_id}", "/api/v1/chat/history/{session}")

    @task(1)
    def workflow(self):
        self.send("/api/v1/workflows", {
            "name": f"test_workflow_{random.randint(1000, 9999)}",
            "description": "A workflow for load tests",
            "nodes": [
                {"id": "start", "type": "input", "name": "Start"},
                {"id": "process", "type": "llm", "name": "Process"},
                {"id": "end", "type": "output", "name": "End"},
            ],
            "edges": [{"from": "start", "to": "process"}, {"from": "process", "to": "end"}],
        }, status=201)

    @task(1)
    def analytics(self):
        self.fetch(f"/api/v1/analytics/tenant/{self.tenant_id}", "/api/v1/analytics/tenant/{tenant}")


class HighLoadUser(Tenant):
    wait_time = between(0.1, 0.5)

    def on_start(self):
        tenant_id = f"highload-{random.randint(1000, 9999)}"
        self.headers = {"Content-Type": "application/json", "X-Tenant-ID": tenant_id}

    @task(10)
    def chat(self):
        self.send("/api/v1/chat/message", {
            "message": f"Rapid message {random.randint(1, 10000)}",
            "session_id": f"session-{random.randint(10000, 99999)}",
        })
