export const options = { iterations: 1 };
export default function () {}
export async function handleSummary() {
  throw new Error('from handleSummary');
}
