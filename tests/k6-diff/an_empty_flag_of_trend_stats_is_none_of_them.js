// flags: --summary-trend-stats=
import { Trend } from 'k6/metrics';
const trend = new Trend('own');
export const options = { iterations: 1, summaryTrendStats: ['avg'] };
export default function () {
  trend.add(1);
}
