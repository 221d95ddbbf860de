export const options = { scenarios: { a: { executor: 'shared-iterations', gracefulStop: -5 } } };
export default function () {}
