export const options = { scenarios: { a: { executor: 'shared-iterations', startTime: '-1s' } } };
export default function () {}
