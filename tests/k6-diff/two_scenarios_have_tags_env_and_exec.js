import { check } from 'k6';
import { Counter } from 'k6/metrics';
const seen = new Counter('seen');
export const options = {
  tags: { run: 'tag' },
  scenarios: {
    one: { executor: 'per-vu-iterations', vus: 2, iterations: 3, env: { WHO: 'first' }, tags: { side: 'left' } },
    two: { executor: 'shared-iterations', vus: 1, iterations: 4, exec: 'other', startTime: '500ms' },
  },
};
export default function () { seen.add(1, { who: __ENV.WHO }); check(__ENV, { first: (e) => e.WHO === 'first' }); }
export function other() { seen.add(2); check(__ENV, { none: (e) => e.WHO === undefined }); }
