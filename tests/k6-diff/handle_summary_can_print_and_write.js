export const options = { iterations: 1 };
export default function () {}
export function handleSummary(data) {
  return { stdout: Object.keys(data.metrics).filter((m) => !m.startsWith('vus')).sort().join(' '), stderr: 'to stderr', [`${__ENV.OUT}/summary.txt`]: 'x' };
}
