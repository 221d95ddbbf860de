// differs in console, log, summary, declarations, series, stdout: k6 1.1 refuses a shared array of requests, which newer versions send
import http from 'k6/http';
import { SharedArray } from 'k6/data';

export const options = { iterations: 1 };

const requests = new SharedArray('requests', () => [['GET', `${__ENV.BASE}/json`], `${__ENV.BASE}/json`]);

export default function () {
  console.log(http.batch(requests).map((r) => r.status));
}
