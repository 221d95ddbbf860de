// differs in log: the message says which option is wrong
export const options = { scenarios: { some: { executor: 'shared-iterations', options: { foo: 1 } } } };
export default function () {}
