// differs in log: the message says what is wrong in its own words
export const options = { iterations: 1, thresholds: { iterations: ['count>>1'] } };
export default function () {}
