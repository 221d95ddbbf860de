// flags: --execution-segment 1/2:3/4 --execution-segment-sequence 0,1/2,3/4,1
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
const seen = new Counter('seen');
export const options = { scenarios: { a: { executor: 'shared-iterations', vus: 8, iterations: 40 } } };
export default function () { seen.add(1, { id: String(exec.scenario.iterationInTest) }); }
