import { sleep } from 'k6';
export const options = {
  scenarios: {
    a: { executor: 'constant-arrival-rate', rate: 5, duration: '1900ms', preAllocatedVUs: 1, maxVUs: 2 },
  },
};
export default function () { sleep(0.55); }
