import { Trend } from 'k6/metrics';
const trend = new Trend('numbers');
export const options = { iterations: 10, thresholds: { numbers: ['p(99.9)<9', 'p(33.3) >= 2', 'med===4.5', 'avg == 4.5', 'min<=0'] } };
export default function () { trend.add(__ITER); }
