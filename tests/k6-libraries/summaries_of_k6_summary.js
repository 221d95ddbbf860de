import http from 'k6/http';
import { check, group } from 'k6';
import { Counter } from 'k6/metrics';
import { humanizeValue, jUnit, textSummary } from 'https://jslib.k6.io/k6-summary/0.1.0/index.js';

export const options = {
  iterations: 2,
  thresholds: { checks: ['rate>0.9'], http_req_failed: ['rate<0.1'] },
};

const counter = new Counter('things');

export default function () {
  group('a group', () => {
    check(http.get(`${__ENV.BASE}/json`), { 'is fine': (r) => r.status === 200, 'is not': (r) => r.status === 201 });
    group('inside', () => check(1, { one: (v) => v === 1 }));
  });
  counter.add(2);
}

export function handleSummary(data) {
  const numbers = (text) => text.replace(/\d+(\.\d+)?(ns|µs|ms|s|%| B| kB| MB)?(\/s)?/g, 'N').replace(/\.{3,}/g, '…').replace(/ +/g, ' ');
  console.log(numbers(jUnit(data)).replace(/ message=".*?"/g, '').split('\n').map((line) => line.trim()).sort().join('\n'));
  console.log(typeof humanizeValue, Object.keys(data).sort().join());
  return { stdout: numbers(textSummary(data, { indent: '> ', enableColors: false })) };
}
