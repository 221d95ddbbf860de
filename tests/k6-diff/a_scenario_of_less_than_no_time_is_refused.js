export const options = { scenarios: { a: { executor: 'constant-vus', duration: '-1m30s' } } };
export default function () {}
