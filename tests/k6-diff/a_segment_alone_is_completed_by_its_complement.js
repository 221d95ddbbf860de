// flags: --execution-segment 25%
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
const seen = new Counter('seen');
export const options = { vus: 4, iterations: 13 };
export default function () { seen.add(1, { id: String(exec.scenario.iterationInTest) }); }
