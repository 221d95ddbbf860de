export const options = { iterations: 1, setupTimeout: -1000 };
export function setup() {}
export default function () {}
