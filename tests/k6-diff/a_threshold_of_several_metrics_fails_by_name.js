import { Counter, Rate } from 'k6/metrics';
const a = new Counter('aa'); const b = new Rate('bb');
export const options = { iterations: 1, thresholds: { aa: ['count<1'], bb: ['rate<0.5'], iterations: ['count==1'] } };
export default function () { a.add(2); b.add(1); }
