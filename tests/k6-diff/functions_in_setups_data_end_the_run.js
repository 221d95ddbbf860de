export const options = { iterations: 1 };
export function setup() { return { a: { f() {} } }; }
export default function () {}
