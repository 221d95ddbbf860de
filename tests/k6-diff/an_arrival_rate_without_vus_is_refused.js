export const options = { scenarios: { a: { executor: 'constant-arrival-rate', rate: 5, duration: '2s' } } };
export default function () {}
