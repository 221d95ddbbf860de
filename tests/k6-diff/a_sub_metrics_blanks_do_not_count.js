export const options = { iterations: 1, thresholds: { "iterations{ scenario : 'default' }": [' count > 5 '], iterations: ['count > 0 '] } };
export default function () {}
