import { sleep } from 'k6';
export const options = { scenarios: { a: { executor: 'externally-controlled', vus: 2, maxVUs: 3, duration: '1s' } } };
export default function () { sleep(0.3); }
