// The parts of the multi-agent platform one by one, in sequence or at once.
//
//   k6 run -e PERF_BASE_URL=http://localhost:8000 tests/k6/aiaas_components.js
//
// Exports: router (default), payment, email, database, workflow: one request an iteration; and
// burst: BURST requests (100) to the router in one batch. time_per_request is the elapsed time of a
// burst divided by its size: a throughput written as a time, not a latency.

import http from 'k6/http';
import { check } from 'k6';
import { Trend } from 'k6/metrics';
import { Client, expect } from './lib/client.js';
import { BASE_URL, options as plan, timing } from './lib/plan.js';
import { field } from './lib/reply.js';

export const options = plan({
  scenarios: {
    router: { executor: 'shared-iterations', vus: 1, iterations: 100, exec: 'router' },
    payment: { executor: 'shared-iterations', vus: 1, iterations: 100, exec: 'payment' },
    email: { executor: 'shared-iterations', vus: 1, iterations: 100, exec: 'email' },
  },
  thresholds: {
    router_decision_ms: ['p(50)<50', 'p(95)<100', 'p(99)<200'],
    'http_req_duration{scenario:payment}': ['p(95)<500'],
    'http_req_duration{scenario:email}': ['p(95)<1000'],
    checks: ['rate==1'],
  },
});

const BURST = Number(__ENV.BURST || '100');
const client = new Client({ 'X-Tenant-ID': 'test_tenant' });
const timePerRequest = new Trend('time_per_request', true);

const QUESTION = { message: 'I need help with my order', tenant_id: 'test_tenant', user_id: 'test_user' };
const PAYMENT = {
  amount: 100.0,
  currency: 'USD',
  customer_id: 'test_customer',
  payment_method_id: 'pm_test',
  description: 'Performance test payment',
};
const EMAIL = {
  to: 'test@example.com',
  subject: 'Performance Test',
  body: 'This is a performance test email',
  from_email: 'noreply@example.com',
};

export function router() {
  expect(client.post('/api/v1/router/route', QUESTION), 200, 'router');
}

export function burst() {
  const body = JSON.stringify(QUESTION);
  const begun = Date.now();
  const responses = http.batch(
    Array.from({ length: BURST }, () => [
      'POST', `${BASE_URL}/api/v1/router/route`, body, client.parameters('POST /api/v1/router/route'),
    ]),
  );
  timePerRequest.add((Date.now() - begun) / BURST);
  responses.forEach(timing);
  check(responses, { 'burst: every request completed': (all) => all.every((r) => r.status === 200) });
}

export function payment() {
  const response = client.post('/api/v1/tools/payment', PAYMENT);
  check(response, {
    'payment: has an outcome': (r) => r.status === 200 && ['COMPLETED', 'FAILED'].includes(field(r, 'status')),
  });
}

export function email() {
  const response = client.post('/api/v1/tools/email', EMAIL);
  check(response, {
    'email: has an outcome': (r) => r.status === 200 && typeof field(r, 'success') === 'boolean',
  });
}

export function database() {
  const body = { query: 'SELECT 1', params: {}, count: Number(__ENV.QUERIES || '1') };
  expect(client.post('/api/v1/database/query', body), 200, 'database');
}

export function workflow() {
  const created = client.post('/api/v1/workflows', {
    name: 'component',
    nodes: [
      { id: 'start', type: 'input', name: 'Start' },
      { id: 'end', type: 'output', name: 'End' },
    ],
    edges: [{ from: 'start', to: 'end' }],
  });
  if (expect(created, 201, 'workflow: create')) {
    const path = `/api/v1/workflows/${field(created, 'workflow_id')}/execute`;
    expect(client.post(path, {}, 'POST /api/v1/workflows/{id}/execute'), 200, 'workflow: execute');
  }
}

export default router;
