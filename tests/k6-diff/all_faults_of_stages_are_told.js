export const options = { scenarios: { a: { executor: 'ramping-vus', stages: [null, { duration: '-1s', target: -1 }, { duration: '1s' }] } } };
export default function () {}
