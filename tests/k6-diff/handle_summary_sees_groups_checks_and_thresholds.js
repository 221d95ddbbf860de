import { check, group } from 'k6';
export const options = { iterations: 1, thresholds: { checks: ['rate>0.4', 'rate>0.9'] } };
export default function () { group('g', () => check(1, { yes: true, no: false })); check(1, { top: true }); }
// Sorted keys, since their order varies in k6.
function show(value) {
  if (Array.isArray(value)) return `[${value.map(show)}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${key}: ${show(value[key])}`)}}`;
}
export function handleSummary(data) {
  return { stdout: show(data.root_group) + show(data.metrics.checks) + JSON.stringify(Object.keys(data).filter((key) => key !== 'setup_data').sort()) + JSON.stringify(Object.keys(data.state).sort()) };
}
