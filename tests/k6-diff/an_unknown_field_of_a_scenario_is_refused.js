// differs in log: k6 says only which field is unknown; here the message also names the scenario and the executor
export const options = { scenarios: { a: { executor: 'shared-iterations', iteration: 5 } } };
export default function () {}
