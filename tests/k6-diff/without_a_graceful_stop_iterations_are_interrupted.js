import { sleep } from 'k6';
import { Counter } from 'k6/metrics';
const after = new Counter('after_sleep');
export const options = { scenarios: { a: { executor: 'constant-vus', vus: 2, duration: '1s', gracefulStop: '0s' } } };
export default function () { sleep(5); after.add(1); }
