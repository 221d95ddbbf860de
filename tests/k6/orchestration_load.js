// Load on a detector-orchestration service: 70 % single requests, 20 % batches, 10 % health checks.
//
// Valid for k6 and for sparring's own driver. Which scenario runs and how hard is chosen by
// environment variables:
//
//   K6_SCENARIO             smoke (default), load or stress
//   K6_SMOKE_VUS (5)        K6_SMOKE_DURATION (2m)
//   K6_LOAD_START_VUS (10)  K6_LOAD_TARGET_VUS (50)   K6_LOAD_DURATION (7m)
//   K6_STRESS_START_VUS (50)  K6_STRESS_PEAK_VUS (200)  K6_STRESS_DURATION (10m)
//   PERF_BASE_URL (http://localhost:8000) and the ORCHESTRATION_… variables below
//   PERF_P95_RESPONSE_TIME_MS (2000)  PERF_SUCCESS_RATE (0.95): what the run is judged by

import http from 'k6/http';
import { check, group, sleep } from 'k6';
import { Counter, Rate, Trend } from 'k6/metrics';
import { document, single } from './content.js';

const setting = (name, otherwise) => __ENV[name] || otherwise;

const BASE_URL = setting('PERF_BASE_URL', 'http://localhost:8000').replace(/\/+$/, '');
const TENANT = setting('ORCHESTRATION_PERF_TENANT_ID', 'perf-tenant');
const POLICY = setting('ORCHESTRATION_POLICY_BUNDLE', 'default');
const BATCH_SIZE = Number(setting('ORCHESTRATION_PERF_BATCH_SIZE', '5'));
const IDEMPOTENCY_KEY = setting('ORCHESTRATION_PERF_IDEMPOTENCY_KEY', '');

const HEADERS = {
  'Content-Type': 'application/json',
  [setting('ORCHESTRATION_PERF_API_KEY_HEADER', setting('ORCHESTRATION_API_KEY_HEADER', 'X-API-Key'))]:
    setting('ORCHESTRATION_PERF_API_KEY', 'test-key'),
  [setting('ORCHESTRATION_TENANT_HEADER', 'X-Tenant-ID')]: TENANT,
};

const orchestrateDuration = new Trend('orchestrate_duration', true);
const orchestrateSuccess = new Rate('orchestrate_success');
const healthSuccess = new Rate('health_success');
const coverage = new Trend('coverage_achieved');
const partialAnswers = new Counter('partial_answers');

// A duration such as 90s, 2m or 1h30m, split by shares that add up to 1.
function stages(total, steps) {
  const unit = { h: 3600, m: 60, s: 1 };
  let seconds = 0;
  for (const [, amount, name] of total.matchAll(/(\d+(?:\.\d+)?)(h|m|s)/g)) {
    seconds += Number(amount) * unit[name];
  }
  return steps.map(([share, target]) => ({ duration: `${Math.max(1, Math.round(seconds * share))}s`, target }));
}

function scenario(name) {
  switch (name) {
    case 'smoke':
      return {
        executor: 'constant-vus',
        vus: Number(setting('K6_SMOKE_VUS', '5')),
        duration: setting('K6_SMOKE_DURATION', '2m'),
      };
    case 'load': {
      const target = Number(setting('K6_LOAD_TARGET_VUS', '50'));
      return {
        executor: 'ramping-vus',
        startVUs: Number(setting('K6_LOAD_START_VUS', '10')),
        stages: stages(setting('K6_LOAD_DURATION', '7m'), [[0.3, target], [0.5, target], [0.2, 0]]),
      };
    }
    case 'stress': {
      const peak = Number(setting('K6_STRESS_PEAK_VUS', '200'));
      return {
        executor: 'ramping-vus',
        startVUs: Number(setting('K6_STRESS_START_VUS', '50')),
        stages: stages(setting('K6_STRESS_DURATION', '10m'), [[0.3, Math.round(peak / 2)], [0.3, peak], [0.3, peak], [0.1, 0]]),
      };
    }
    default:
      throw new Error(`K6_SCENARIO is "${name}"; use smoke, load or stress`);
  }
}

const SCENARIO = setting('K6_SCENARIO', 'smoke');

export const options = {
  scenarios: { [SCENARIO]: scenario(SCENARIO) },
  thresholds: {
    orchestrate_duration: [`p(95)<${Number(setting('PERF_P95_RESPONSE_TIME_MS', '2000'))}`],
    orchestrate_success: [`rate>${Number(setting('PERF_SUCCESS_RATE', '0.95'))}`],
    health_success: ['rate>0.99'],
    http_req_failed: ['rate<0.05'],
  },
  summaryTrendStats: ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)', 'p(99)'],
};

function request(item) {
  return {
    content: item.content,
    content_type: item.content_type,
    tenant_id: TENANT,
    policy_bundle: POLICY,
    environment: 'dev',
    processing_mode: 'sync',
    priority: 'normal',
  };
}

function post(path, body, name) {
  const headers = IDEMPOTENCY_KEY
    ? { ...HEADERS, 'Idempotency-Key': `${IDEMPOTENCY_KEY}-${__VU}-${__ITER}` }
    : HEADERS;
  return http.post(`${BASE_URL}${path}`, JSON.stringify(body), { headers, tags: { name } });
}

function orchestrateOne() {
  const response = post('/orchestrate', request(single()), 'orchestrate');
  const answered = check(response, {
    'single: answered in full or in part': (r) => r.status === 200 || r.status === 206,
    'single: names its detectors': (r) => r.status < 300 && r.json('detector_results.#') > 0,
  });
  orchestrateDuration.add(response.timings.duration, { kind: 'single' });
  orchestrateSuccess.add(answered);
  if (answered) {
    coverage.add(response.json('coverage_achieved'));
  }
  if (response.status === 206) {
    partialAnswers.add(1);
  }
}

function orchestrateBatch() {
  const requests = Array.from({ length: BATCH_SIZE }, () => request(document()));
  const response = post('/orchestrate/batch', { requests }, 'orchestrate_batch');
  const answered = check(response, {
    'batch: status 200': (r) => r.status === 200,
    'batch: one result for each request': (r) => r.status === 200 && r.json('results.#') === BATCH_SIZE,
  });
  orchestrateDuration.add(response.timings.duration, { kind: 'batch' });
  orchestrateSuccess.add(answered);
}

function health() {
  const response = http.get(`${BASE_URL}/health`, { tags: { name: 'health' } });
  healthSuccess.add(
    check(response, {
      'health: status 200': (r) => r.status === 200,
      'health: says how it is': (r) => ['healthy', 'degraded'].includes(r.json('status')),
    }),
  );
}

export function setup() {
  const response = http.get(`${BASE_URL}/health`, { tags: { name: 'health' } });
  if (response.status !== 200) {
    throw new Error(`${BASE_URL}/health answers ${response.status} ${response.error}; is the service up?`);
  }
}

export default function () {
  const draw = Math.random();
  if (draw < 0.7) {
    group('single', orchestrateOne);
  } else if (draw < 0.9) {
    group('batch', orchestrateBatch);
  } else {
    group('health', health);
  }
  sleep(0.1 + Math.random() * 0.4);
}
