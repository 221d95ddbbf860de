export const options = { iterations: 1 };

export default function () {}

export function handleSummary() {
  return { '/nowhere/summary.txt': 'text', stdout: 'the rest is written\n' };
}
