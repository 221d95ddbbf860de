import { sleep } from 'k6';
export const options = {
  scenarios: { a: { executor: 'per-vu-iterations', vus: 2, iterations: 9, maxDuration: '1s', gracefulStop: '2s' } },
};
export default function () { sleep(0.4); }
