// Load on a multi-agent platform: users who log in, chat, look at agents, history and analytics and
// create workflows; and high-load users who only chat.
//
//   sparring target aiaas
//   k6 run -e PERF_BASE_URL=http://localhost:8000 tests/k6/aiaas.js
//
// Exports: aiaas_user (default; weights 5/3/2/1/1) and high_load_user. A VU is a user: it logs in
// once, and again when its token has expired, and keeps its tenant and session.
//
//   AIAAS_MESSAGE_KB      length of each chat message of an aiaas_user in kB (default: one sentence)
//   AIAAS_WORKFLOW_NODES  nodes of each workflow (3)

import { Client, expect } from './lib/client.js';
import { between, choice, options as plan, task, wait } from './lib/plan.js';
import { field } from './lib/reply.js';

export const options = plan({
  vus: 100,
  duration: '60s',
  thresholds: {
    http_req_failed: ['rate<0.05'],
    http_req_duration: ['p(50)<100', 'p(95)<500', 'p(99)<1000'],
    checks: ['rate>0.95'],
  },
});

const SENTENCE = 'Hello, I need help with my order';
const MESSAGE_BYTES = 1000 * Number(__ENV.AIAAS_MESSAGE_KB || '0');
const LONG = `${SENTENCE}. `.repeat(MESSAGE_BYTES / SENTENCE.length + 1).slice(0, MESSAGE_BYTES);
const message = () => LONG || `${SENTENCE} #${between(1000, 9999)}`;
const INNER_NODES = Math.max(1, Number(__ENV.AIAAS_WORKFLOW_NODES || '3') - 2);
const chat = (client, session, message, metadata) =>
  expect(
    client.post('/api/v1/chat/message', { message, session_id: session, ...metadata }),
    200,
    'chat',
  );

let user = null;

function logIn() {
  const tenant = `tenant-${between(1000, 9999)}`;
  const guest = new Client({ 'X-Tenant-ID': tenant });
  const token = () => {
    const response = guest.post('/api/v1/auth/login', { username: 'test_user', password: 'test_password' });
    return expect(response, 200, 'login') ? { Authorization: `Bearer ${field(response, 'token')}` } : null;
  };
  const client = new Client({ 'X-Tenant-ID': tenant, ...token() }, token);
  return { tenant, session: `session-${between(10000, 99999)}`, client };
}

const TASKS = {
  chat: [5, ({ client, session }) =>
    chat(client, session, message(), {
      metadata: {
        priority: choice(['low', 'medium', 'high']),
        category: choice(['support', 'sales', 'billing']),
      },
    })],
  agents: [3, ({ client }) => expect(client.get('/api/v1/agents'), 200, 'agents')],
  history: [2, ({ client, session }) =>
    expect(client.get(`/api/v1/chat/history/${session}`, 'GET /api/v1/chat/history/{session}'), 200, 'history')],
  workflows: [1, ({ client }) => expect(client.post('/api/v1/workflows', workflow()), 201, 'workflows')],
  analytics: [1, ({ client, tenant }) =>
    expect(client.get(`/api/v1/analytics/tenant/${tenant}`, 'GET /api/v1/analytics/tenant/{tenant}'), 200, 'analytics')],
};

const NODES = [
  { id: 'start', type: 'input', name: 'Start' },
  ...Array.from({ length: INNER_NODES }, (_, n) => ({ id: n ? `process-${n}` : 'process', type: 'llm', name: 'Process' })),
  { id: 'end', type: 'output', name: 'End' },
];

function workflow() {
  return {
    name: `test_workflow_${between(1000, 9999)}`,
    description: 'A workflow for load tests',
    nodes: NODES,
    edges: NODES.slice(1).map((node, place) => ({ from: NODES[place].id, to: node.id })),
  };
}

export function aiaas_user() {
  user = user || logIn();
  task(TASKS)(user);
  wait([1, 3]);
}

let highLoad = null;

export function high_load_user() {
  highLoad = highLoad || new Client({ 'X-Tenant-ID': `highload-${between(1000, 9999)}` });
  chat(highLoad, `session-${between(10000, 99999)}`, `Rapid message ${between(1, 10000)}`, {});
  wait([0.1, 0.5]);
}

export default aiaas_user;
