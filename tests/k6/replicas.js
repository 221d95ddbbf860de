// Replicas behind one name that share a store: what one accepts, the others answer, and killing one
// of them under load loses nothing. The caller of this script kills one while it runs.
//
//   PERF_BASE_URL (http://localhost:8000)  the name that stands for all of them
//   REPLICA_URLS                           each by itself, separated by commas: jobs go from one
//                                          to the next
//   REPLICA_DURATION (30s)                 how long jobs are given
//
// A client without a response cannot know whether its job was accepted. It repeats the request with
// the same idempotency key, and must receive the same job.

import http from 'k6/http';
import { check, sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { field } from './lib/reply.js';

const BASE_URL = (__ENV.PERF_BASE_URL || 'http://localhost:8000').replace(/\/+$/, '');
const REPLICAS = (__ENV.REPLICA_URLS || BASE_URL).split(',');
const HEADERS = {
  'Content-Type': 'application/json',
  'X-API-Key': __ENV.ORCHESTRATION_PERF_API_KEY || 'test-key',
};
const DURATION = __ENV.REPLICA_DURATION || '30s';
const ENDED = ['completed', 'failed', 'cancelled'];
// A killed replica's jobs are taken over once its lease has run out.
const PATIENCE_S = 90;
// Statuses of errors that are `retryable`, and a proxy's.
const ASK_AGAIN = [408, 429, 502, 503, 504];

const accepted = new Counter('jobs_accepted');
const answered = new Counter('jobs_answered');
const lost = new Counter('jobs_lost');
const unanswered = new Counter('requests_unanswered');

export const options = {
  // Every connection resolves the name again, so that it finds the current replicas.
  dns: { ttl: '0', select: 'roundRobin' },
  scenarios: {
    across: { executor: 'constant-vus', vus: 1, duration: DURATION, gracefulStop: `${PATIENCE_S}s`, exec: 'across' },
    throughout: {
      executor: 'constant-arrival-rate',
      rate: 6,
      duration: DURATION,
      preAllocatedVUs: 40,
      maxVUs: 200,
      gracefulStop: `${PATIENCE_S}s`,
      exec: 'throughout',
    },
  },
  thresholds: {
    checks: ['rate==1'],
    jobs_accepted: ['count>=50'],
    jobs_lost: ['count==0'],
    dropped_iterations: ['count==0'],
  },
};

// Sends to one base after another until one responds finally; null after too long a time. Work of a
// killed replica still counts as running for the others until its lease expires: their errors say
// that a retry helps.
function insist(bases, ask) {
  const deadline = Date.now() + PATIENCE_S * 1000;
  for (let n = 0; Date.now() < deadline; n++) {
    const response = ask(bases[n % bases.length]);
    if (response.status === 0) {
      unanswered.add(1);
    } else if (!ASK_AGAIN.includes(response.status)) {
      return response;
    }
    sleep(0.2);
  }
  return null;
}

function give(bases, key) {
  const body = JSON.stringify({
    content: `Job ${key}: write to jane@example.com`,
    content_type: 'text',
    processing_mode: 'async',
  });
  const headers = { ...HEADERS, 'Idempotency-Key': key };
  return insist(bases, (base) =>
    http.post(`${base}/orchestrate`, body, { headers, timeout: '5s', tags: { name: 'give' } }),
  );
}

function result(bases, job) {
  const deadline = Date.now() + PATIENCE_S * 1000;
  while (Date.now() < deadline) {
    const response = insist(bases, (base) =>
      http.get(`${base}/orchestrate/status/${job}`, { headers: HEADERS, timeout: '5s', tags: { name: 'status' } }),
    );
    if (response === null || response.status !== 200 || ENDED.includes(field(response, 'status'))) {
      return response;
    }
    sleep(0.25);
  }
  return null;
}

function see(bases, given) {
  const taken = check(given, { 'a job is accepted': (r) => r !== null && r.status === 202 });
  if (!taken) {
    console.error(given === null ? 'nobody took the job' : `job not taken: ${given.status} ${given.body}`);
    return;
  }
  accepted.add(1);
  const ended = result(bases, field(given, 'job_id'));
  const good = check(ended, {
    'an accepted job is answered': (r) => r !== null && r.status === 200,
    'and has come to a result': (r) => r !== null && field(r, 'status') === 'completed' && field(r, 'result') !== null,
  });
  if (good) {
    answered.add(1);
  } else {
    lost.add(1);
    console.error(`job ${field(given, 'job_id')} lost: ${ended === null ? 'no answer' : `${ended.status} ${ended.body}`}`);
  }
}

// Submits to one replica and polls the next. A killed replica receives requests here regardless of
// the name's addresses, so that a run during which one was killed has requests without a response.
export function across() {
  const from = __ITER % REPLICAS.length;
  const inTurn = [...REPLICAS.slice(from), ...REPLICAS.slice(0, from)];
  const given = give(inTurn, `across-${Date.now()}-${__ITER}`);
  see([...inTurn.slice(1), inTurn[0]], given);
}

// Submits to the replica to which the name resolves, and polls the one to which it resolves later.
export function throughout() {
  const key = `throughout-${Date.now()}-${__VU}-${__ITER}`;
  const first = give([BASE_URL], key);
  if (first !== null && first.status === 202 && __ITER % 5 === 0) {
    const again = give([BASE_URL], key);
    check(again, {
      'the same key brings the same job': (r) => r !== null && field(r, 'job_id') === field(first, 'job_id'),
    });
  }
  see([BASE_URL], first);
}
