// flags: --summary-time-unit ms
import { Trend } from 'k6/metrics';
const trend = new Trend('times', true);
export const options = { iterations: 1 };
export default function () { trend.add(61234.5678); }
export function handleSummary(data) { return { stdout: `${data.options.summaryTimeUnit} ${data.metrics.times.values.max}` }; }
