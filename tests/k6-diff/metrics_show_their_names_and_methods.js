import { Counter, Trend } from 'k6/metrics';
const counter = new Counter('my_counter'), trend = Trend('my_trend', true);
export const options = { iterations: 1 };
export default function () {
  for (const metric of [counter, trend]) console.log(Object.keys(metric).sort().join(), JSON.stringify(metric), metric.add(1));
  try { counter.name = 'x'; } catch (e) { console.log(e.name); }
  console.log(counter.name, Object.keys(globalThis).includes('console'));
}
