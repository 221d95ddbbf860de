import { Counter, Gauge, Rate, Trend } from 'k6/metrics';
const counter = new Counter('my_counter');
const gauge = new Gauge('my_gauge');
const rate = new Rate('my_rate');
const trend = new Trend('my_trend', true);
const plain = new Trend('my_plain');
export const options = { iterations: 3 };
export default function () {
  counter.add(__ITER + 1, { step: 'a' });
  gauge.add(10 - __ITER);
  rate.add(__ITER === 1);
  trend.add(12.5 * __ITER);
  plain.add(3);
}
