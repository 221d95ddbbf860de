import { Trend } from 'k6/metrics';
const t = new Trend('waits', true);
export const options = { iterations: 1, thresholds: { waits: ['p(95)<70000', 'avg>1'] } };
export default function () { for (const ms of [0.0005, 0.5, 12.3456, 999.99, 61000]) t.add(ms); }
