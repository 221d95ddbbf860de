// Load on ACSO, a system of agents, a message bus and workflows: threat detection 40 %, service
// orchestration 35 %, financial analysis 25 %.
//
//   sparring target acso
//   k6 run -e PERF_BASE_URL=http://localhost:8000 tests/k6/acso.js
//
// Exports: threats, services, finance (one scenario each) and mixed (default). ACSO_INDICATORS and
// ACSO_TARGETS set the number of indicators and targets of a request (default: random, 1–20 and
// 1–5).

import { Counter, Trend } from 'k6/metrics';
import { Client, expect } from './lib/client.js';
import { between, choice, options as plan, pick, task, wait } from './lib/plan.js';

export const options = plan({
  vus: 100,
  duration: '60s',
  thresholds: {
    http_req_failed: ['rate<0.05'],
    http_req_duration: ['avg<3000'],
    checks: ['rate>0.95'],
  },
});

const WAIT_S = [4, 6];
const operations = new Counter('operations');
const workflowDuration = new Trend('workflow_duration', true);
const client = new Client({});

const THREATS = ['malware', 'phishing', 'intrusion', 'data_exfiltration', 'ransomware'];
const COMPLEXITY = [[50, 'low'], [35, 'medium'], [15, 'high']];
const SERVICES = ['patch_management', 'maintenance', 'delivery'];
const ANALYSES = [[50, 'cost_optimisation'], [25, 'revenue'], [25, 'forecast']];

const indicator = (n) => `indicator-${n}-${between(1, 1e6)}`;
const target = (n) => `host-${n}-${between(1, 1e4)}`;
const count = (name, most) => Number(__ENV[name]) || between(1, most);
const list = (length, make) => Array.from({ length }, (_, n) => make(n));

function operate(scenario, path, body) {
  const response = client.post(path, body);
  if (expect(response, 200, scenario)) {
    operations.add(1, { scenario });
    workflowDuration.add(response.timings.duration, { scenario });
  }
}

const analyseThreat = () =>
  operate('threats', '/api/v1/threats/analyze', {
    threat_type: choice(THREATS),
    complexity: pick(COMPLEXITY),
    indicators: list(count('ACSO_INDICATORS', 20), indicator),
  });

const orchestrateService = () =>
  operate('services', '/api/v1/services/orchestrate', {
    service: choice(SERVICES),
    targets: list(count('ACSO_TARGETS', 5), target),
  });

const analyseFinance = () =>
  operate('finance', '/api/v1/finance/analyze', { analysis: pick(ANALYSES), months: between(1, 12) });

export function threats() {
  analyseThreat();
  wait(WAIT_S);
}

export function services() {
  orchestrateService();
  wait(WAIT_S);
}

export function finance() {
  analyseFinance();
  wait(WAIT_S);
}

export function mixed() {
  task({ threats: [40, analyseThreat], services: [35, orchestrateService], finance: [25, analyseFinance] })();
  wait(WAIT_S);
}

export default mixed;
