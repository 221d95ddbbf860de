export const options = { scenarios: { a: { executor: 'per-vu-iterations', iterations: 0 } } };
export default function () {}
