// differs in log: the message lists the executors that there are
export const options = { scenarios: { a: { executor: 'as-fast-as-possible' } } };
export default function () {}
