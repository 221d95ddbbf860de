export const options = { scenarios: { default: { executor: 'per-vu-iterations', vus: 2, iterations: 2, maxDuration: '5s' } } };
export default function () {}
