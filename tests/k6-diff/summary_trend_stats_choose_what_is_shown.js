// flags: --summary-trend-stats min,p(99.9),count
import { Trend } from 'k6/metrics';
const trend = new Trend('plain');
export const options = { iterations: 3 };
export default function () { trend.add(__ITER); }
