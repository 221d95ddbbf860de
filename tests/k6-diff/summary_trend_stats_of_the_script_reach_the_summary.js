import { Trend } from 'k6/metrics';
const trend = new Trend('plain');
export const options = { iterations: 3, summaryTrendStats: ['avg', 'p(0)', 'p(50.5)', 'max', 'count'] };
export default function () { trend.add(__ITER); }
export function handleSummary(data) {
  return { stdout: JSON.stringify(Object.entries(data.metrics.plain.values).sort()) + '\n' + JSON.stringify(data.options.summaryTrendStats) };
}
