import { sleep } from 'k6';
export const options = {
  scenarios: { a: { executor: 'shared-iterations', vus: 1, iterations: 9, maxDuration: '1500ms', gracefulStop: '0s' } },
};
export default function () { sleep(0.4); }
