import http from 'k6/http';
export const options = { iterations: 1 };
http.setResponseCallback(http.expectedStatuses({ min: 400, max: 404 }));
export default function () {
  http.get(`${__ENV.BASE}/status/404`);
  http.get(`${__ENV.BASE}/status/200`);
  http.get(`${__ENV.BASE}/status/200`, { responseCallback: null });
}
