// flags: --execution-segment 1/3:2/3 --execution-segment-sequence 0,1/3,2/3,1
import exec from 'k6/execution';
export const options = { scenarios: { a: { executor: 'constant-arrival-rate', rate: 12, timeUnit: '1s', duration: '950ms', preAllocatedVUs: 6 } } };
export default function () { console.log(exec.scenario.iterationInTest, exec.scenario.iterationInInstance); }
