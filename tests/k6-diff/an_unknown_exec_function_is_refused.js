export const options = { scenarios: { a: { executor: 'shared-iterations', exec: 'missing' } } };
export default function () {}
