// The common parts of the scripts for target systems: options from a plan, weighted tasks, waits, request ids and
// the component times in the responses of a simulated system.
//
//   SPARRING_PLAN      JSON of k6 options; replaces the script's own
//   SPARRING_TEST_ID   first part of each request's X-Request-Id (default: drawn by each VU). Equal
//                      ids draw equal demands and equal ids of entries: a system that is asked a
//                      second time under the same ids finds its workflows completed
//   SPARRING_SEED      a number: each VU then draws the same data, tasks and waits in every run
//   SPARRING_TASKS     JSON of weights by task, SPARRING_WAIT_S the bounds of the wait, as 4,6: those of a suite's
//                      user class; they replace the script's own
//   PERF_BASE_URL      the service under test (default http://localhost:8000)
//   PERFORMANCE_TIMEOUT_MULTIPLIER  multiplies the 60 s that a request may take

import { randomSeed, sleep } from 'k6';
import { Trend } from 'k6/metrics';

export const BASE_URL = (__ENV.PERF_BASE_URL || 'http://localhost:8000').replace(/\/+$/, '');

const STATS = ['avg', 'min', 'med', 'max', 'p(50)', 'p(90)', 'p(95)', 'p(99)', 'count'];

// The options of a run: those of the plan, else the script's own. k6's variables (K6_VUS,
// K6_DURATION, …) override both, as always.
export function options(defaults) {
  const planned = __ENV.SPARRING_PLAN ? JSON.parse(__ENV.SPARRING_PLAN) : defaults;
  return { summaryTrendStats: STATS, ...planned };
}

// The timeout of a request: k6's own minute, times the multiplier.
export const TIMEOUT = `${Math.round(60000 * Number(__ENV.PERFORMANCE_TIMEOUT_MULTIPLIER || '1'))}ms`;

// A number from 0 to 1. Seeded at a VU's first draw, since its number is not known before.
let seeded = !__ENV.SPARRING_SEED;
function random() {
  if (!seeded) {
    seeded = true;
    randomSeed(Number(__ENV.SPARRING_SEED) * 100003 + __VU);
  }
  return Math.random();
}

// One of the tasks, drawn once by the weights of the class, or by the script's own:
// task({ clients: [50, clients], predict: [40, predict], trade: [10, trade] }).
let written;
let weights = null;
export function task(tasks) {
  if (written !== __ENV.SPARRING_TASKS) {
    written = __ENV.SPARRING_TASKS;
    weights = written ? JSON.parse(written) : null;
  }
  return pick(
    Object.entries(tasks).map(([name, [weight, run]]) => [weights ? weights[name] || 0 : weight, run]),
  );
}

// One of the values, drawn once by weight: pick([[50, 'low'], [35, 'medium'], [15, 'high']]).
export function pick(tasks) {
  let left = random() * tasks.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, task] of tasks) {
    left -= weight;
    if (left < 0) {
      return task;
    }
  }
  return tasks[tasks.length - 1][1];
}

// One of the values, each equally likely.
export const choice = (values) => values[Math.floor(random() * values.length)];

// A whole number from `least` to `most`, both included.
export const between = (least, most) => least + Math.floor(random() * (most - least + 1));

// A wait between two iterations, uniform in seconds. K6_WAIT_FACTOR=0 leaves it out.
const WAIT_FACTOR = Number(__ENV.K6_WAIT_FACTOR || '1');
export function wait(bounds) {
  const [least_s, most_s] = __ENV.SPARRING_WAIT_S ? __ENV.SPARRING_WAIT_S.split(',').map(Number) : bounds;
  const seconds = (least_s + random() * (most_s - least_s)) * WAIT_FACTOR;
  if (seconds > 0) {
    sleep(seconds);
  }
}

// The id of the n-th request of this iteration, unique among runs without a SPARRING_TEST_ID.
const TEST = __ENV.SPARRING_TEST_ID || Math.random().toString(36).slice(2, 10);
export const id = (n) => `${TEST}-${__VU}-${__ITER}-${n}`;

const TRENDS = {
  router: new Trend('router_decision_ms', true),
  tool: new Trend('tool_execution_ms', true),
  workflow: new Trend('workflow_execution_ms', true),
  database: new Trend('database_query_ms', true),
  cache: new Trend('cache_access_ms', true),
  queue: new Trend('queue_wait_ms', true),
};
// Names that the shipped systems give to components of a kind.
const KIND = { engine: 'workflow', postgres: 'database', cassandra: 'database', redis: 'cache', memo: 'cache' };

// Adds the component times of a response (Server-Timing: router;dur=12.2, queue;dur=0.2) to the
// trends, and returns the response.
export function timing(response) {
  const header = response.headers['Server-Timing'];
  if (header) {
    for (const [, name, duration] of header.matchAll(/([\w-]+);dur=([\d.]+)/g)) {
      const trend = TRENDS[KIND[name] || name];
      if (trend) {
        trend.add(Number(duration));
      }
    }
  }
  return response;
}
