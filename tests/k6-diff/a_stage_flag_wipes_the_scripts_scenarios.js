// flags: -s 1s:2 -u 0
import { sleep } from 'k6';
export const options = { scenarios: { named: { executor: 'shared-iterations', iterations: 9 } } };
export default function () { sleep(10); }
