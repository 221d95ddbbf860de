export const options = { scenarios: { a: { executor: 'as-fast-as-possible' } } };
export default function () {}
