import { Rate } from 'k6/metrics';
import { sleep } from 'k6';
const bad = new Rate('bad');
export const options = { vus: 1, duration: '20s', thresholds: { bad: [{ threshold: 'rate<0.5', abortOnFail: true }] } };
export default function () { if (__ITER === 0) bad.add(1); sleep(30); }
export function teardown() { console.log('teardown runs'); }
