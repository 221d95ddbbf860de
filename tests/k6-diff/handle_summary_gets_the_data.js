import { Counter } from 'k6/metrics';
const c = new Counter('cc');
export const options = { iterations: 2, thresholds: { cc: ['count>1', 'count>5'] }, summaryTrendStats: ['avg', 'p(99)', 'count'] };
export function setup() { return { a: 1 }; }
export default function () { c.add(1); }
export function handleSummary(data) {
  console.log(Object.keys(data).sort().join());
  const { thresholds } = data.metrics.cc; // k6 keeps them in a map of Go, whose order changes
  console.log(Object.keys(thresholds).sort().map((name) => `${name} ${JSON.stringify(thresholds[name])}`).join());
  console.log(Object.keys(data.metrics.iteration_duration.values).sort().join());
  console.log(data.metrics.cc.type, data.metrics.cc.contains, data.metrics.cc.values.count);
  console.log(JSON.stringify(data.setup_data), data.root_group.id);
  return { stdout: 'done\n' };
}
