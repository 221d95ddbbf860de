import { Gauge } from 'k6/metrics';
const gauge = new Gauge('level');
export const options = { iterations: 3, thresholds: { level: ['value==30', 'value<10'] } };
export default function () { gauge.add((__ITER + 1) * 10); }
