import { sleep } from 'k6';
export const options = { iterations: 1, teardownTimeout: '0s' };
export default function () {}
export function teardown() {
  sleep(1);
}
