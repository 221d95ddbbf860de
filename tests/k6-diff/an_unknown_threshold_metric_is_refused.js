export const options = { thresholds: { nothing: ['count>1'] } };
export default function () {}
