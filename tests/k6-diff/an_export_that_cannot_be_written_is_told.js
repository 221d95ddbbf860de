// flags: --summary-export /nowhere/export.json
export const options = { iterations: 1 };

export default function () {}

export function handleSummary() {
  return { stdout: 'the rest is written\n' };
}
