// flags: -i 2
// env: K6_ITERATIONS=3
export const options = { iterations: 7 };
export default function () {}
