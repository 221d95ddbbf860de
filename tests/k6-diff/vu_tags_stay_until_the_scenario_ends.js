import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
const seen = new Counter('seen');
export const options = {
  scenarios: {
    a: { executor: 'per-vu-iterations', iterations: 2 },
    b: { executor: 'per-vu-iterations', iterations: 1, startTime: '600ms' },
  },
};
export default function () {
  seen.add(1);
  exec.vu.metrics.tags.mine = exec.scenario.name;
  exec.vu.metrics.tags['number'] = 5;
  exec.vu.metrics.metadata.trace = 'x';
  seen.add(1, { mine: 'sample' });
  delete exec.vu.metrics.tags.number;
}
