// differs in series: each run has its own trace id among the metadata
import http from 'k6/http';
import tempo from 'https://jslib.k6.io/http-instrumentation-tempo/1.0.1/index.js';

export const options = { iterations: 1 };

tempo.instrumentHTTP({ propagator: 'w3c' });

export default function () {
  const response = http.get(`${__ENV.BASE}/echo`);
  const trace = response.json('headers.traceparent');
  console.log(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/.test(trace), Object.keys(response.request.headers).sort().join());
}
