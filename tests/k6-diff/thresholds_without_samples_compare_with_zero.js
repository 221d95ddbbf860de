import { Counter, Trend, Gauge, Rate } from 'k6/metrics';
new Counter('no_counts');
new Trend('no_trend');
new Gauge('no_gauge');
new Rate('no_rate');
export const options = {
  iterations: 1,
  thresholds: { no_counts: ['count>0'], no_trend: ['max>1', 'min==0'], no_gauge: ['value>1'], no_rate: ['rate>0.9'] },
};
export default function () {}
