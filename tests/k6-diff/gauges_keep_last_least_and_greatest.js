import { Gauge } from 'k6/metrics';
const gauge = new Gauge('level');
export const options = { iterations: 4 };
export default function () { gauge.add([5, 2, 9, 4][__ITER]); }
