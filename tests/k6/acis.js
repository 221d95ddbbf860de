// Load on ACIS, a platform of clients, predictions, trades and background jobs.
//
//   sparring target acis
//   k6 run -e PERF_BASE_URL=http://localhost:8000 tests/k6/acis.js
//
// Exports: api_user (default; clients 50 %, predictions 40 %, trades 10 %), stress_user
// (predictions 60 %, optimisations 20 %, bulk trades 20 %) and background_user (training 1, bulk
// fetch 3, rebalancing 2; each job is followed to its end). ACIS_LIMIT is the length of a page of clients (50).

import { sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { Client, expect } from './lib/client.js';
import { between, choice, options as plan, task, wait } from './lib/plan.js';
import { field } from './lib/reply.js';

export const options = plan({
  vus: 50,
  duration: '60s',
  thresholds: {
    http_req_failed: ['rate<0.01'],
    http_req_duration: ['avg<1000', 'p(95)<2000', 'p(99)<5000'],
    checks: ['rate>0.99'],
  },
});

const LIMIT = Number(__ENV.ACIS_LIMIT || '50');
const SYMBOLS = ['AAPL', 'MSFT', 'GOOG', 'AMZN', 'NVDA', 'TSLA'];
const JOB_WITHIN_S = 110;

const jobsLost = new Counter('jobs_lost');
const jobDuration = new Trend('job_duration', true);
const client = new Client({});

const order = () => ({
  client_id: between(1, 1000),
  symbol: choice(SYMBOLS),
  side: choice(['buy', 'sell']),
  quantity: between(1, 100),
});

const clients = () =>
  expect(
    client.get(`/api/clients?limit=${LIMIT}&offset=${between(0, 900)}`, 'GET /api/clients'),
    200,
    'clients',
  );
const predict = () =>
  expect(client.get(`/api/ml/predict?symbol=${choice(SYMBOLS)}`, 'GET /api/ml/predict'), 200, 'predict');
const trade = () => expect(client.post('/api/trading/execute', order()), 200, 'trade');
const optimise = () =>
  expect(
    client.post('/api/portfolio/optimize', {
      client_id: between(1, 1000),
      assets: Array.from({ length: between(5, 50) }, (_, n) => `ASSET-${n}`),
    }),
    200,
    'optimise',
  );
const bulk = () =>
  expect(
    client.post('/api/trading/bulk', { orders: Array.from({ length: between(5, 20) }, order) }),
    200,
    'bulk',
  );

// Starts a job and polls it every two seconds until it is completed.
function job(path, body) {
  const begun = Date.now();
  const accepted = client.post(path, body);
  if (!expect(accepted, 202, 'job: accepted')) {
    return;
  }
  const status = `/api/jobs/${field(accepted, 'job_id')}`;
  while (Date.now() - begun < JOB_WITHIN_S * 1000) {
    sleep(2);
    const response = client.get(status, 'GET /api/jobs/{id}');
    if (!expect(response, 200, 'job: status')) {
      break;
    }
    if (field(response, 'status') === 'completed') {
      jobDuration.add(Date.now() - begun);
      return;
    }
  }
  jobsLost.add(1);
}

const train = () => job('/api/ml/train', { model: 'returns', epochs: between(1, 5) });
const fetch = () => job('/api/data/bulk-fetch', { symbols: SYMBOLS, days: between(30, 365) });
const rebalance = () => job('/api/portfolio/rebalance', { client_id: between(1, 1000) });

export function api_user() {
  task({ clients: [50, clients], predict: [40, predict], trade: [10, trade] })();
  wait([0.3, 0.9]);
}

export function stress_user() {
  task({ predict: [60, predict], optimise: [20, optimise], bulk: [20, bulk] })();
  wait([0.05, 0.2]);
}

export function background_user() {
  task({ train: [1, train], fetch: [3, fetch], rebalance: [2, rebalance] })();
  wait([5, 15]);
}

export default api_user;
