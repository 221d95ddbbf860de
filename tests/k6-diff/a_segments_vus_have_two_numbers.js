// flags: --execution-segment 2/3:1 --execution-segment-sequence 0,1/3,2/3,1 --system-tags vu,scenario
import exec from 'k6/execution';
export const options = { scenarios: { a: { executor: 'per-vu-iterations', vus: 3, iterations: 2 } } };
console.log('init', __VU);
export default function () { console.log(__VU, exec.vu.idInInstance, exec.vu.idInTest); }
