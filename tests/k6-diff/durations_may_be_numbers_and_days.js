export const options = { scenarios: { a: { executor: 'shared-iterations', iterations: 1, maxDuration: '1d2h3m', gracefulStop: 1500 } } };
export default function () {}
