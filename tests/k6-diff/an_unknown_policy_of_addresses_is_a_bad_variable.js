// env: K6_DNS=policy=both
export const options = { iterations: 1 };
export default function () {}
