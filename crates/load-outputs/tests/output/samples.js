// Run by k6 with the JSON and CSV outputs; what it wrote lies beside as samples.json, samples.csv.
//   k6 run -q -e BASE=http://127.0.0.1:PORT -o json=samples.json -o csv=samples.csv samples.js
import { check, group } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';

const counted = new Counter('counted');
const level = new Gauge('level');
const share = new Rate('share');
const times = new Trend('times', true);
const plain = new Trend('plain');

export const options = {
  iterations: 2,
  thresholds: {
    times: ['p(95)<200', { threshold: 'avg<100', abortOnFail: true, delayAbortEval: '10m' }, { threshold: 'min<1', abortOnFail: false, delayAbortEval: '1s' }],
    'times{shape:round}': ['max<1'],
    share: [{ threshold: 'rate>0.1', abortOnFail: true }],
    'http_reqs{name:a<b}': ['count>=0'],
  },
};

export default function () {
  group('outer<1>', () => check(1, { 'is "one" & more': (v) => v === 1, 'has \u2028ü': (v) => v === 2 }));
  http.get(`${__ENV.BASE}/x?a=1&b=2`);
  http.get(`${__ENV.BASE}/bad`);
  http.get('http://127.0.0.1:1/');
  for (const value of [1, 1.5, 999999, 1234567, 1234567.5, 0.0001, 0.00001, 1e20, 1e21, 123456.5]) counted.add(value);
  counted.add(1, { odd: '\b\f\n\r\t\x01\x7f\\/\u2029😀>' });
  counted.add(1, { blank: ' lead', method: 'u,"x' });
  level.add(-3);
  share.add(true);
  share.add(0);
  times.add(-1e-9, { shape: 'round' });
  times.add(12.3456789);
  plain.add(-0, { empty: '' });
  exec.vu.metrics.metadata['trace'] = 'a b,c';
}
