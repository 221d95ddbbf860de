// flags: --no-summary
export default function () {}
export function handleSummary() {
  console.log('summary');
  return { stdout: 'printed\n' };
}
