export const options = { scenarios: { '': { executor: 'shared-iterations', exec: '' } } };
export default function () {}
