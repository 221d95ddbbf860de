// Load on one endpoint of the laboratory system, by rate or by users, to compare with closed forms.
//
//   sparring target lab
//   k6 run -e ENDPOINT=mm1 -e RATE=50 -e K6_LAB_DURATION=60s tests/k6/lab.js       open
//   k6 run -e ENDPOINT=usl -e USERS=32 tests/k6/lab.js                             closed
//
// ENDPOINT (mm1): the component under load. RATE: arrivals a second; without it each of USERS (1)
// sends one request after another and thinks for THINK_S (0) seconds.

import { sleep } from 'k6';
import { Client, expect } from './lib/client.js';
import { options as plan } from './lib/plan.js';

const ENDPOINT = __ENV.ENDPOINT || 'mm1';
const THINK_S = Number(__ENV.THINK_S || '0');
const duration = __ENV.K6_LAB_DURATION || '30s';

const load = __ENV.RATE
  ? {
      executor: 'constant-arrival-rate',
      exec: 'open',
      rate: Number(__ENV.RATE),
      timeUnit: '1s',
      duration,
      preAllocatedVUs: Math.max(10, Number(__ENV.RATE) * 2),
    }
  : { executor: 'constant-vus', exec: 'closed', vus: Number(__ENV.USERS || '1'), duration };

export const options = plan({ scenarios: { lab: load } });

const client = new Client({});

export function open() {
  expect(client.get(`/${ENDPOINT}`), 200, ENDPOINT);
}

export function closed() {
  open();
  if (THINK_S > 0) {
    sleep(THINK_S);
  }
}

export default closed;
