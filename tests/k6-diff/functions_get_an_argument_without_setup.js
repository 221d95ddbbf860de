export const options = { iterations: 1 };
export default function (...data) { console.log(data.length, data[0]); }
export function teardown(...data) { console.log(data.length, data[0]); }
export function handleSummary(data) { console.log(Object.keys(data).sort().join()); return { stdout: '' }; }
