// differs in log: the message names the stage
export const options = { scenarios: { some: { executor: 'ramping-vus', stages: [{ duration: '0.1s', target: 1, x: 1 }] } } };
export default function () {}
