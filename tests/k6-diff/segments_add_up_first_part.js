// flags: --execution-segment 0:1/3 --execution-segment-sequence 0,1/3,2/3,1
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
const seen = new Counter('seen');
export const options = { scenarios: { a: { executor: 'per-vu-iterations', vus: 7, iterations: 2 }, b: { executor: 'shared-iterations', vus: 3, iterations: 20 } } };
export default function () { seen.add(1, { id: `${exec.scenario.name} ${exec.scenario.name === 'a' ? exec.vu.idInTest > 0 : exec.scenario.iterationInTest}` }); }
