"""Load on Agent360 (agent runs, workflows, data processing), for Locust.

    locust -f tests/locust/agent360.py --host http://localhost:8000 -u 50 -r 10 -t 600s --headless BasicLoadTest

BasicLoadTest      one tool; 1 to 3 s between
WorkflowLoadTest   init, three steps, complete; 2 to 5 s between
StressTest         three heavy runs to one large processing; 0.1 to 0.5 s between
"""

from locust import HttpUser, between, task


class BasicLoadTest(HttpUser):
    wait_time = between(1, 3)

    @task
    def execute_agent(self):
        self.client.post("/agent/execute", json={"query": "Test query", "tools": ["rest_tool"]})


class WorkflowLoadTest(HttpUser):
    wait_time = between(2, 5)

    @task
    def complex_workflow(self):
        started = self.client.post("/workflow/init", json={"workflow_type": "analysis"})
        if started.status_code != 200:
            return
        workflow = f"/workflow/{started.json()['workflow_id']}"
        for step in range(3):
            body = {"step_data": f"step_{step}"}
            self.client.post(f"{workflow}/step", json=body, name="/workflow/{id}/step")
        self.client.post(f"{workflow}/complete", name="/workflow/{id}/complete")


class StressTest(HttpUser):
    wait_time = between(0.1, 0.5)

    @task(3)
    def heavy_computation(self):
        body = {"query": "Complex analysis task", "tools": ["analysis_tool", "database_tool"]}
        self.client.post("/agent/execute", json=body)

    @task(1)
    def data_intensive(self):
        body = {"data_size": "large", "operations": ["transform", "analyze"]}
        self.client.post("/data/process", json=body)
