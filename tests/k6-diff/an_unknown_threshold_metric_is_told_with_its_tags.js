export const options = { thresholds: { 'nothing{a:b, c:d}': ['count>1'] } };
export default function () {}
