// flags: --min-iteration-duration 400ms
import exec from 'k6/execution';
export const options = { scenarios: { a: { executor: 'constant-vus', vus: 1, duration: '1s' } } };
export default function () { console.log(__ITER, Math.floor(exec.instance.currentTestRunDuration / 200) === __ITER * 2); }
