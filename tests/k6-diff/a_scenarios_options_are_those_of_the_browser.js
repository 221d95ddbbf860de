// differs in log: k6 says only that the field is unknown; here the message also gives its path
export const options = { scenarios: { some: { executor: 'shared-iterations', options: { foo: 1 } } } };
export default function () {}
