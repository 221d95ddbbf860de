export const options = { iterations: 1, thresholds: { 'iterations{a:b}x': ['count>0'] } };
export default function () {}
