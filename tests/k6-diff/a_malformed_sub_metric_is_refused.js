export const options = { iterations: 1, thresholds: { 'iterations{scenario}': ['count>0'] } };
export default function () {}
