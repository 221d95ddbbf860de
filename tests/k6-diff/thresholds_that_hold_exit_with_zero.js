import { Rate } from 'k6/metrics';
const rate = new Rate('good');
export const options = { iterations: 4, thresholds: { good: ['rate>=0.75'], iterations: ['count<5'] } };
export default function () { rate.add(__ITER > 0); }
