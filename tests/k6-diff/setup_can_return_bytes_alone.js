export const options = { iterations: 1 };
export const setup = () => new Uint8Array([104, 105]);
export default function (data) {
  console.log(typeof data, data);
}
export function handleSummary(summary) {
  console.log(JSON.stringify(summary.setup_data));
  return {};
}
