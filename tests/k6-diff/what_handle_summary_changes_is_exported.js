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

// Without a result of handleSummary, the measured values are printed.
export function handleSummary(data) {
  delete data.metrics.iterations;
  delete data.metrics.group_duration;
  data.metrics.added = { type: 'counter', contains: 'default', values: { count: 3, rate: 1 } };
  data.metrics.of_rate = { type: 'rate', values: { rate: 1, text: 'a' }, thresholds: { a: { ok: true }, b: {} } };
  data.metrics.odd = { toJSON: () => ({ values: { count: 5 } }) };
  data.metrics.word = 'has no values';
  data.metrics.gone = () => 1;
  data.metrics.mine.values.count = 99;
  data.metrics.mine.thresholds['count>0'].ok = false;
  data.metrics.share.type = 'counter';
  data.root_group.name = 'renamed';
  data.root_group.checks[0].passes = 77;
  delete data.root_group.groups[0].checks;
  data.more = { list: [1, undefined, NaN] };
  delete data.options;
  delete data.state;
  delete data.setup_data;
}
