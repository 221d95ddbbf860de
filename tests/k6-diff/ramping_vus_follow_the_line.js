import { sleep } from 'k6';
export const options = {
  scenarios: {
    a: {
      executor: 'ramping-vus', startVUs: 0, gracefulRampDown: '0s', gracefulStop: '0s',
      stages: [{ duration: '1s', target: 2 }, { duration: '1s', target: 0 }],
    },
  },
};
export default function () { sleep(0.35); }
