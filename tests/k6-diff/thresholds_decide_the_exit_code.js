import { Counter, Trend } from 'k6/metrics';
const counter = new Counter('things');
const trend = new Trend('sizes');
export const options = {
  iterations: 5,
  thresholds: {
    things: ['count==5', 'count>100'],
    sizes: ['avg<3', 'p(90)<=4', 'max===4', 'med<9'],
    'things{kind:even}': ['count>=3'],
    checks: ['rate>0.9'],
  },
};
export default function () {
  counter.add(1, { kind: __ITER % 2 === 0 ? 'even' : 'odd' });
  trend.add(__ITER);
}
