export const options = {
  scenarios: {
    a: {
      executor: 'ramping-arrival-rate', preAllocatedVUs: 2, timeUnit: '1s',
      stages: [{ duration: '1s', target: 10 }, { duration: '1s', target: 10 }],
    },
  },
};
export default function () {}
