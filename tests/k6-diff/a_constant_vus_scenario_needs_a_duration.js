export const options = { scenarios: { a: { executor: 'constant-vus', vus: 2 } } };
export default function () {}
