import http from 'k6/http';
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';

export const options = {
  scenarios: { soak: { executor: 'shared-iterations', vus: 20, iterations: Number(__ENV.ITERATIONS), maxDuration: '3h' } },
};
const counters = {};
for (const name of ['answered', 'timed_out', 'reset', 'closed', 'refused_stream', 'redirected', 'other']) counters[name] = new Counter(name);

const kinds = [
  () => http.get(`${__ENV.TLS}/json`),
  () => http.get(`${__ENV.TLS1}/json`, { tags: { own: 'tag' } }),
  () => http.get(`${__ENV.BASE}/redirect/1`),
  () => http.get(`${__ENV.TLS}/redirect/1`),
  () => http.get(`${__ENV.BASE}/delay/2000`, { timeout: 5 }),
  () => http.get(`${__ENV.TLS}/delay/2000`, { timeout: 5 }),
  () => http.get(`${__ENV.RAW}/reset`),
  () => http.get(`${__ENV.RAW}/close`),
  () => http.get(`${__ENV.FAULTS}/rst/8`),
  () => http.post(`${__ENV.TLS}/echo`, { field: 'x'.repeat(500) }),
];

function kindOf(response) {
  if (response.status > 0) return 'answered';
  return { 1050: 'timed_out', 1220: 'reset', 1000: 'closed', 1639: 'refused_stream' }[response.error_code] || 'other';
}

export default function () {
  const number = exec.scenario.iterationInTest % kinds.length;
  const response = kinds[number]();
  const kind = kindOf(response);
  counters[kind].add(1);
  if (number === 2 || number === 3) counters.redirected.add(1);
  if (kind === 'other') console.error(number, response.error_code, response.error);
}
