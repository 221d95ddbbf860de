// flags: -d 1s -u 1
import { sleep } from 'k6';
export const options = { iterations: 50, vus: 2 };
export default function () { sleep(0.6); }
