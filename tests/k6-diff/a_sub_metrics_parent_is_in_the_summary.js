import { Counter, Trend, Rate, Gauge } from 'k6/metrics';

const made = [new Counter('c1'), new Trend('t1'), new Rate('r1'), new Gauge('g1')];

export const options = {
  iterations: 1,
  thresholds: { 'c1{a:b}': ['count>=0'], 't1{a:b}': ['avg>=0'], 'r1{a:b}': ['rate>=0'], 'g1{a:b}': ['value>=0'], 'http_reqs{a:b}': ['count>=0'], 'http_req_duration{a:b}': ['avg>=0'] },
};

export default function () { console.log(made.length); }
