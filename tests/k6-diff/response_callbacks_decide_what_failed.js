import http from 'k6/http';
export const options = { iterations: 1, thresholds: { http_req_failed: ['rate<2'] } };
export default function () {
  http.get(`${__ENV.BASE}/status/404`, { responseCallback: http.expectedStatuses(404), tags: { name: 'expected' } });
  http.get(`${__ENV.BASE}/status/200`, { responseCallback: null, tags: { name: 'none' } });
  http.setResponseCallback(http.expectedStatuses({ min: 200, max: 201 }, 503));
  for (const code of [200, 202, 503]) http.get(`${__ENV.BASE}/status/${code}`, { tags: { name: `set ${code}` } });
  http.setResponseCallback(null);
  http.get(`${__ENV.BASE}/status/500`, { tags: { name: 'off' } });
}
