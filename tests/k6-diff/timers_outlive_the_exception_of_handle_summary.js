export const options = { iterations: 1 };
export default function () {}
export function handleSummary() {
  setTimeout(() => console.log('later'), 30);
  throw new Error('from handleSummary');
}
