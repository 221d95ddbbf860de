import { sleep } from 'k6';
export const options = { scenarios: { a: { executor: 'constant-arrival-rate', rate: 10, duration: '950ms', preAllocatedVUs: 1 } } };
export default function () { sleep(5); }
