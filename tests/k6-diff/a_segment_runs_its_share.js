// flags: --execution-segment 1/3:2/3 --execution-segment-sequence 0,1/3,2/3,1
import exec from 'k6/execution';
export const options = { vus: 4, iterations: 10 };
export default function () { console.log(`vu ${exec.vu.idInTest} iteration ${exec.scenario.iterationInTest}`); }
