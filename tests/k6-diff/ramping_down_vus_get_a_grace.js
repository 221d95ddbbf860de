import { sleep } from 'k6';
import { Counter } from 'k6/metrics';
const after = new Counter('after_sleep');
export const options = {
  scenarios: {
    a: { executor: 'ramping-vus', startVUs: 2, gracefulRampDown: '300ms', gracefulStop: '0s', stages: [{ duration: '500ms', target: 2 }, { duration: '0s', target: 0 }, { duration: '700ms', target: 0 }] },
  },
};
export default function () { sleep(__VU === 1 ? 0.65 : 5); after.add(1); }
