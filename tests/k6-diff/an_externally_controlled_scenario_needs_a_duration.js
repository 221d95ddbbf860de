export const options = { scenarios: { some: { executor: 'externally-controlled', vus: 2, maxVUs: 1 } } };
export default function () {}
