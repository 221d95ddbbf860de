// differs in log: k6 says only which field is unknown; here the message also names the stage
export const options = { scenarios: { some: { executor: 'ramping-vus', stages: [{ duration: '0.1s', target: 1, x: 1 }] } } };
export default function () {}
