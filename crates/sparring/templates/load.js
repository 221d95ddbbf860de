// One function for each kind of user; suite.yaml names them and says how many there are. Runs alone, too:
// `sparring run load.js`.
import http from 'k6/http';
import { check, sleep } from 'k6';

export const options = __ENV.SPARRING_PLAN ? JSON.parse(__ENV.SPARRING_PLAN) : {
  vus: 2,
  duration: '10s',
  thresholds: { http_req_failed: ['rate<0.01'], http_req_duration: ['p(95)<500'] },
};

const BASE_URL = __ENV.PERF_BASE_URL || @BASE_URL@;

export function visitor() {
  // The name groups requests in the report, whatever their parameters are.
  const response = http.get(`${BASE_URL}/health`, { tags: { name: 'GET /health' } });
  check(response, { 'status is 200': (r) => r.status === 200 });
  sleep(0.5);
}

export default visitor;
