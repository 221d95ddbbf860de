// Load on Agent360: agent runs, workflows of five requests and data processing.
//
//   sparring target agent360
//   k6 run -e PERF_BASE_URL=http://localhost:8000 tests/k6/agent360.js
//
// Exports: basic_load_test (default; wait 1–3 s), workflow_load_test (wait 2–5 s) and stress_test
// (3 heavy runs to 1 large processing, wait 0.1–0.5 s; processing alone with AGENT360_LARGE_ONLY=true).

import { group } from 'k6';
import { Trend } from 'k6/metrics';
import { Client, expect } from './lib/client.js';
import { options as plan, task, wait } from './lib/plan.js';
import { field } from './lib/reply.js';

export const options = plan({
  vus: 50,
  duration: '60s',
  thresholds: {
    http_req_failed: ['rate<0.01'],
    http_req_duration: ['p(95)<2000'],
    checks: ['rate>0.99'],
  },
});

const workflowDuration = new Trend('workflow_duration', true);
const client = new Client({});

const execute = (query, tools) => expect(client.post('/agent/execute', { query, tools }), 200, 'execute');

export function basic_load_test() {
  execute('Test query', ['rest_tool']);
  wait([1, 3]);
}

function runWorkflow() {
  const begun = Date.now();
  const started = client.post('/workflow/init', { workflow_type: 'analysis' });
  if (!expect(started, 200, 'init')) {
    return;
  }
  const workflow = `/workflow/${field(started, 'workflow_id')}`;
  for (let step = 0; step < 3; step += 1) {
    const answer = client.post(`${workflow}/step`, { step_data: `step_${step}` }, 'POST /workflow/{id}/step');
    expect(answer, 200, 'step');
  }
  if (expect(client.post(`${workflow}/complete`, undefined, 'POST /workflow/{id}/complete'), 200, 'complete')) {
    workflowDuration.add(Date.now() - begun);
  }
}

export function workflow_load_test() {
  group('workflow', runWorkflow);
  wait([2, 5]);
}

const heavy = () => execute('Complex analysis task', ['analysis_tool', 'database_tool']);
const process = () =>
  expect(
    client.post('/data/process', { data_size: 'large', operations: ['transform', 'analyze'] }),
    200,
    'process',
  );

const LARGE_ONLY = __ENV.AGENT360_LARGE_ONLY === 'true';

export function stress_test() {
  if (LARGE_ONLY) {
    process();
  } else {
    task({ execute: [3, heavy], process: [1, process] })();
  }
  wait([0.1, 0.5]);
}

export default basic_load_test;
