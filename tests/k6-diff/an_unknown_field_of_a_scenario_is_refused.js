// differs in log: the message names the scenario and the executor
export const options = { scenarios: { a: { executor: 'shared-iterations', iteration: 5 } } };
export default function () {}
