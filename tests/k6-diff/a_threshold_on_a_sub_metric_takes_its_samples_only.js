import { Counter } from 'k6/metrics';
const things = new Counter('things');
export const options = {
  iterations: 4,
  thresholds: { 'things{kind:odd}': ['count==2'], 'things{kind:odd,size:big}': ['count>=1'], 'things{kind:none}': ['count==0'] },
};
export default function () { things.add(1, { kind: __ITER % 2 ? 'odd' : 'even', size: __ITER > 2 ? 'big' : 'small' }); }
