import { Rate } from 'k6/metrics';
import { sleep } from 'k6';
const bad = new Rate('bad');
export const options = { vus: 1, iterations: 1, thresholds: { bad: [{ threshold: 'rate<0.5', abortOnFail: true, delayAbortEval: '10s' }] } };
export default function () { bad.add(1); sleep(2.5); }
