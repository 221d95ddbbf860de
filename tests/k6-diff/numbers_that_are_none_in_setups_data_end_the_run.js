export const options = { iterations: 1 };
export function setup() { return { n: [1, NaN] }; }
export default function () {}
