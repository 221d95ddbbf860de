export const options = { iterations: 3, thresholds: { iterations: ['rate>0', 'count==3'] } };
export default function () {}
