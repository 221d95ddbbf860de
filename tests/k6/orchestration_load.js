// Load on a detector-orchestration service: 70 % single requests, 20 % batches, 10 % health checks.
//
// Valid for k6 and for sparring's own driver. Environment variables select the scenario and its load:
//
//   K6_SCENARIO             smoke (default), load, stress or throughput
//   K6_SMOKE_VUS (5)        K6_SMOKE_DURATION (2m)
//   K6_LOAD_START_VUS (10)  K6_LOAD_TARGET_VUS (50)   K6_LOAD_DURATION (7m)
//   K6_STRESS_START_VUS (50)  K6_STRESS_PEAK_VUS (200)  K6_STRESS_DURATION (10m)
//   K6_THROUGHPUT_DURATION (1m): requests arrive at PERF_THROUGHPUT_RPS (100), answered or not
//   PERF_BASE_URL (http://localhost:8000) and the ORCHESTRATION_… variables below
//   PERFORMANCE_TIMEOUT_MULTIPLIER (1): times the 60 s that a request may take
//   SPARRING_PLAN: JSON of k6 options, which replace the scenario and what it is judged by
//   PERF_P95_RESPONSE_TIME_MS (2000)  PERF_SUCCESS_RATE (0.95): what the run is judged by
//
// Besides the mixed load there are four classes, exported functions that a plan's `exec` names:
//
//   repeated      few texts again and again: what the response cache is for
//   jobs          asynchronous requests, each followed until its job has ended
//   faults        callers that ask wrongly, and sound requests in between
//   requirements  the eight requirements, each a check `requirement: ...`; the two detectors are those of
//                 ORCHESTRATION_PERF_SOUND_DETECTOR (mock-detector-success) and
//                 ORCHESTRATION_PERF_WEAK_DETECTOR (mock-detector-failing, which fails now and then)

import http from 'k6/http';
import { check, group, sleep } from 'k6';
import { Counter, Rate, Trend } from 'k6/metrics';
import { document, single } from './content.js';
import { field } from './lib/reply.js';

const setting = (name, otherwise) => __ENV[name] || otherwise;

// A number; any other text is an error, rather than an unexpected default.
function number(name, otherwise) {
  const text = setting(name, otherwise);
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new Error(`${name} is "${text}"; use a number of at least 0`);
  }
  return value;
}

const BASE_URL = setting('PERF_BASE_URL', 'http://localhost:8000').replace(/\/+$/, '');
const TENANT = setting('ORCHESTRATION_PERF_TENANT_ID', 'perf-tenant');
const POLICY = setting('ORCHESTRATION_POLICY_BUNDLE', 'default');
const BATCH_SIZE = number('ORCHESTRATION_PERF_BATCH_SIZE', '5');
// The timeout of a request: k6's own minute, times the multiplier.
const TIMEOUT = `${Math.round(60000 * number('PERFORMANCE_TIMEOUT_MULTIPLIER', '1'))}ms`;
const IDEMPOTENCY_KEY = setting('ORCHESTRATION_PERF_IDEMPOTENCY_KEY', '');

const KEY_HEADER = setting('ORCHESTRATION_PERF_API_KEY_HEADER', setting('ORCHESTRATION_API_KEY_HEADER', 'X-API-Key'));
const HEADERS = {
  'Content-Type': 'application/json',
  [KEY_HEADER]: setting('ORCHESTRATION_PERF_API_KEY', 'test-key'),
  [setting('ORCHESTRATION_TENANT_HEADER', 'X-Tenant-ID')]: TENANT,
};

// An id of its own for each request: the orchestrator passes it on to the detectors, whose journals then show the
// origin of each call.
const TEST_ID = setting('SPARRING_TEST_ID', '') || Math.random().toString(36).slice(2, 10);
let sent = 0;
function named(headers) {
  sent += 1;
  return { ...HEADERS, 'X-Request-Id': `${TEST_ID}-${__VU}-${sent}`, ...headers };
}

const orchestrateDuration = new Trend('orchestrate_duration', true);
const orchestrateSuccess = new Rate('orchestrate_success');
const healthSuccess = new Rate('health_success');
const coverage = new Trend('coverage_achieved');
const partialAnswers = new Counter('partial_answers');
const answeredRequests = new Counter('answered_requests');
const cacheHits = new Rate('cache_hits');

const P95_MS = number('PERF_P95_RESPONSE_TIME_MS', '2000');
const SUCCESS_RATE = number('PERF_SUCCESS_RATE', '0.95');
const THROUGHPUT_RPS = number('PERF_THROUGHPUT_RPS', '100');
const THROUGHPUT_DURATION = setting('K6_THROUGHPUT_DURATION', '1m');

// The seconds of a duration such as 90s, 2m or 1h30m.
function seconds(duration) {
  const unit = { h: 3600, m: 60, s: 1 };
  if (!/^(\d+(?:\.\d+)?(h|m|s))+$/.test(duration)) {
    throw new Error(`"${duration}" is not a duration; use one such as 90s, 2m or 1h30m`);
  }
  let total = 0;
  for (const [, amount, name] of duration.matchAll(/(\d+(?:\.\d+)?)(h|m|s)/g)) {
    total += Number(amount) * unit[name];
  }
  return total;
}

// A duration, split by shares that add up to 1.
function stages(total, steps) {
  const all = seconds(total);
  return steps.map(([share, target]) => ({ duration: `${Math.max(1, Math.round(all * share))}s`, target }));
}

function scenario(name) {
  switch (name) {
    case 'smoke':
      return {
        executor: 'constant-vus',
        vus: number('K6_SMOKE_VUS', '5'),
        duration: setting('K6_SMOKE_DURATION', '2m'),
      };
    case 'load': {
      const target = number('K6_LOAD_TARGET_VUS', '50');
      return {
        executor: 'ramping-vus',
        startVUs: number('K6_LOAD_START_VUS', '10'),
        stages: stages(setting('K6_LOAD_DURATION', '7m'), [[0.3, target], [0.5, target], [0.2, 0]]),
      };
    }
    case 'stress': {
      const peak = number('K6_STRESS_PEAK_VUS', '200');
      return {
        executor: 'ramping-vus',
        startVUs: number('K6_STRESS_START_VUS', '50'),
        stages: stages(setting('K6_STRESS_DURATION', '10m'), [[0.3, Math.round(peak / 2)], [0.3, peak], [0.3, peak], [0.1, 0]]),
      };
    }
    case 'throughput': {
      // As many users as there are requests in flight if all are as slow as allowed; up to twice as many before
      // arrivals are dropped because the service is too slow.
      const users = Math.max(1, Math.ceil((THROUGHPUT_RPS * P95_MS) / 1000));
      return {
        executor: 'constant-arrival-rate',
        rate: Math.max(1, Math.round(THROUGHPUT_RPS * 60)),
        timeUnit: '60s',
        duration: THROUGHPUT_DURATION,
        preAllocatedVUs: users,
        maxVUs: 2 * users,
      };
    }
    default:
      throw new Error(`K6_SCENARIO is "${name}"; use smoke, load, stress or throughput`);
  }
}

const SCENARIO = setting('K6_SCENARIO', 'smoke');

const thresholds = {
  orchestrate_duration: [`p(95)<${P95_MS}`],
  orchestrate_success: [`rate>${SUCCESS_RATE}`],
  health_success: ['rate>0.99'],
  http_req_failed: ['rate<0.05'],
};
if (SCENARIO === 'throughput') {
  // The share of all planned arrivals that has to be answered.
  const planned = THROUGHPUT_RPS * seconds(THROUGHPUT_DURATION);
  thresholds.answered_requests = [`count>=${Math.floor(planned * SUCCESS_RATE)}`];
}

const PLAN = __ENV.SPARRING_PLAN ? JSON.parse(__ENV.SPARRING_PLAN) : undefined;

export const options = {
  summaryTrendStats: ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)', 'p(99)'],
  ...(PLAN || { scenarios: { [SCENARIO]: scenario(SCENARIO) }, thresholds }),
};

// Arrivals at a rate do not wait for each other.
const IS_OPEN = Object.values(options.scenarios || {}).some((one) => /arrival-rate$/.test(one.executor));

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
  const headers = named(IDEMPOTENCY_KEY ? { 'Idempotency-Key': `${IDEMPOTENCY_KEY}-${__VU}-${__ITER}` } : {});
  return http.post(`${BASE_URL}${path}`, JSON.stringify(body), { headers, tags: { name }, timeout: TIMEOUT });
}

function orchestrateOne() {
  const response = post('/orchestrate', request(single()), 'orchestrate');
  const answered = check(response, {
    'single: answered in full or in part': (r) => r.status === 200 || r.status === 206,
    'single: names its detectors': (r) => field(r, 'detector_results.#') > 0,
  });
  orchestrateDuration.add(response.timings.duration, { kind: 'single' });
  orchestrateSuccess.add(answered);
  if (answered) {
    answeredRequests.add(1);
    coverage.add(field(response, 'coverage_achieved'));
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
    'batch: one result for each request': (r) => r.status === 200 && field(r, 'results.#') === BATCH_SIZE,
  });
  orchestrateDuration.add(response.timings.duration, { kind: 'batch' });
  orchestrateSuccess.add(answered);
  if (answered) {
    answeredRequests.add(1);
  }
}

function health() {
  const response = http.get(`${BASE_URL}/health`, { headers: named(), timeout: '10s', tags: { name: 'health' } });
  const answered = check(response, {
    'health: status 200': (r) => r.status === 200,
    'health: says how it is': (r) => ['healthy', 'degraded'].includes(field(r, 'status')),
  });
  healthSuccess.add(answered);
  if (answered) {
    answeredRequests.add(1);
  }
}

export function setup() {
  const response = http.get(`${BASE_URL}/health`, { headers: named(), timeout: '10s', tags: { name: 'health' } });
  if (response.status !== 200) {
    throw new Error(`${BASE_URL}/health answers ${response.status} ${response.error}; is the service up?`);
  }
  // A short run may draw no health check of its own.
  healthSuccess.add(true);
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
  if (!IS_OPEN) {
    sleep(0.1 + Math.random() * 0.4);
  }
}

// Intended responses to invalid requests are not failures.
const REFUSED = http.expectedStatuses(400, 401, 403, 413, 422);
const send = (body, name, headers) =>
  http.post(`${BASE_URL}/orchestrate`, body, { headers: named(headers), tags: { name }, timeout: TIMEOUT, responseCallback: REFUSED });

const answered = (r) => r.status === 200 || r.status === 206;
// Whether the request was rejected with a client error status and a code for programs.
const refused = (...statuses) => (r) => statuses.includes(r.status) && typeof field(r, 'error_code') === 'string';

const REPEATED = Array.from({ length: 10 }, (_, n) => `The same text number ${n} is sent again and again.`);

export function repeated() {
  const content = REPEATED[Math.floor(Math.random() * REPEATED.length)];
  const response = post('/orchestrate', request({ content, content_type: 'text' }), 'orchestrate_repeated');
  const ok = check(response, {
    'repeated: answered in full or in part': answered,
    'repeated: says whether the cache answered': (r) => ['hit', 'miss'].includes(r.headers['X-Cache']),
  });
  orchestrateDuration.add(response.timings.duration, { kind: 'repeated' });
  orchestrateSuccess.add(ok);
  cacheHits.add(response.headers['X-Cache'] === 'hit');
  sleep(0.1 + Math.random() * 0.4);
}

const ENDED = ['completed', 'failed', 'cancelled'];

// Submits a job and polls it until it has ended. Returns the accepting response and the last one.
function job(longest_s) {
  const body = { ...request(document()), processing_mode: 'async' };
  const accepted = post('/orchestrate', body, 'orchestrate_job');
  let last;
  if (accepted.status === 202) {
    const url = `${BASE_URL}/orchestrate/status/${field(accepted, 'job_id')}`;
    for (const until = Date.now() + longest_s * 1000; Date.now() < until; sleep(0.2)) {
      last = http.get(url, { headers: named(), tags: { name: 'orchestrate_status' } });
      if (last.status !== 200 || ENDED.includes(field(last, 'status'))) {
        break;
      }
    }
  }
  return { accepted, last };
}

export function jobs() {
  const { accepted, last } = job(20);
  const ok = check(accepted, { 'jobs: accepted': (r) => r.status === 202 });
  check(last, { 'jobs: completed': (r) => Boolean(r) && r.status === 200 && field(r, 'status') === 'completed' });
  orchestrateDuration.add(accepted.timings.duration, { kind: 'job' });
  orchestrateSuccess.add(ok);
  sleep(0.1 + Math.random() * 0.4);
}

const TOO_LONG = 'x'.repeat(50001);
const MALFORMED = ['{"content": "cut off', '[]', 'null', '', '{"content": 7}'];

// Each invalid request with the check of its response; `wrong` sends one of them.
const WRONG = [
  ['faults: malformed is refused', refused(400, 422), () => send(MALFORMED[Math.floor(Math.random() * MALFORMED.length)], 'malformed')],
  ['faults: an unknown content type is refused', refused(400, 422), () => send(JSON.stringify(request({ content: 'a', content_type: 'smell' })), 'unknown')],
  ['faults: too long is refused', refused(400, 413, 422), () => send(JSON.stringify(request({ content: TOO_LONG, content_type: 'text' })), 'too_long')],
  ['faults: a wrong key is refused', refused(401, 403), () => send(JSON.stringify(request(single())), 'wrong_key', { [KEY_HEADER]: 'wrong' })],
];

function wrong([name, isRight, ask]) {
  const response = ask();
  return check(response, { [name]: isRight });
}

export function faults() {
  const place = Math.floor(Math.random() * 5);
  if (place < WRONG.length) {
    wrong(WRONG[place]);
  } else {
    const response = post('/orchestrate', request(single()), 'orchestrate');
    check(response, { 'faults: a sound request is answered meanwhile': answered });
    orchestrateDuration.add(response.timings.duration, { kind: 'single' });
    orchestrateSuccess.add(answered(response));
  }
  sleep(0.1 + Math.random() * 0.4);
}

const SOUND = setting('ORCHESTRATION_PERF_SOUND_DETECTOR', 'mock-detector-success');
const WEAK = setting('ORCHESTRATION_PERF_WEAK_DETECTOR', 'mock-detector-failing');
const ASKED = 20;

// Sends this many different texts at once, to the detectors of the policy or to the named ones.
function many(count, detectors) {
  const one = () => {
    const params = { headers: named(), tags: { name: 'orchestrate' } };
    const body = request({ ...single(), content_type: 'text' });
    return ['POST', `${BASE_URL}/orchestrate`, JSON.stringify(detectors ? { ...body, required_detectors: detectors } : body), params];
  };
  return http.batch(Array.from({ length: count }, one));
}

// The state of the cache for a text that only the sound detector reads.
function cacheOf(content) {
  const body = { ...request({ content, content_type: 'text' }), required_detectors: [SOUND] };
  return post('/orchestrate', body, 'orchestrate_repeated').headers['X-Cache'];
}

function cacheStates() {
  const content = single().content;
  const states = [cacheOf(content), cacheOf(content)];
  post('/cache/invalidate', { tenant: TENANT }, 'cache_invalidate');
  return [...states, cacheOf(content)].join(' ');
}

// A partial answer names the failures, contains the successful results, and states its coverage.
function isHonest(response) {
  const statuses = (field(response, 'detector_results') || []).map((result) => result.status);
  const whole = statuses.length > 0 && statuses.every((status) => status === 'success');
  return answered(response) && (whole || (statuses.includes('success') && field(response, 'coverage_achieved') < 1));
}

// Each detector has a breaker, and that of the weak one has seen its failures. The drills show that a breaker
// opens and closes again.
function isProtected(response) {
  const breakers = (response.status === 200 && field(response, 'circuit_breakers')) || [];
  const weak = breakers.find((one) => one.detector === WEAK);
  return breakers.every((one) => ['closed', 'open', 'half_open'].includes(one.state))
    && Boolean(weak) && (weak.state !== 'closed' || weak.window.failed > 0);
}

export function requirements() {
  const usual = many(ASKED);
  const times = usual.map((r) => r.timings.duration).sort((a, b) => a - b);
  check(usual, {
    'requirement: p95': () => times[Math.ceil(0.95 * ASKED) - 1] < P95_MS,
    'requirement: success rate': (all) => all.filter(answered).length / ASKED >= SUCCESS_RATE,
  });
  usual.forEach((r) => orchestrateSuccess.add(answered(r)));
  // Repeats until the weak detector has failed once, which may take several requests.
  let weakened = [];
  for (let turn = 0; turn < 5 && !weakened.some((r) => r.status === 206); turn += 1) {
    weakened = weakened.concat(many(ASKED, [SOUND, WEAK]));
  }
  check(weakened, {
    'requirement: graceful degradation': (all) => all.every(isHonest) && all.some((r) => r.status === 206),
  });
  check(http.get(`${BASE_URL}/circuit-breakers`, { headers: named(), tags: { name: 'circuit_breakers' } }), {
    'requirement: circuit breakers': isProtected,
  });
  const right = WRONG.map(([, isRight, ask]) => isRight(ask()));
  check(right, { 'requirement: malformed requests': (all) => all.every(Boolean) });
  check(cacheStates(), { 'requirement: cache and its invalidation': (states) => states === 'miss hit miss' });
  const batch = post('/orchestrate/batch', { requests: Array.from({ length: BATCH_SIZE }, () => request(document())) }, 'orchestrate_batch');
  check(batch, { 'requirement: batch': (r) => r.status === 200 && field(r, 'results.#') === BATCH_SIZE });
  const { accepted, last } = job(20);
  check(last, { 'requirement: asynchronous jobs': (r) => accepted.status === 202 && Boolean(r) && field(r, 'status') === 'completed' });
}
