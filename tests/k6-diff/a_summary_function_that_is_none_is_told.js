export const options = { iterations: 1 };
export const handleSummary = { stdout: 'x' };
export default function () {}
