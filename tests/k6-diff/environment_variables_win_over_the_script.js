// env: K6_ITERATIONS=3 K6_VUS=1
export const options = { iterations: 7 };
export default function () {}
