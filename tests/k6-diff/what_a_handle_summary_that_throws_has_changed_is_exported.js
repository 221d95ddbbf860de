import { check, group } from 'k6';
import { Counter, Rate } from 'k6/metrics';

export const options = { iterations: 2, thresholds: { mine: ['count>0'], share: ['rate>0.4'] } };

const mine = new Counter('mine');
const share = new Rate('share');

export function setup() {
  return { from: 'setup' };
}

export default function () {
  mine.add(1);
  share.add(true);
  share.add(false);
  check(1, { ok: (value) => value === 1 });
  group('inner', () => check(0, { bad: (value) => value === 1 }));
}

export function handleSummary(data) {
  delete data.metrics.iterations;
  throw new Error('after a change');
}
