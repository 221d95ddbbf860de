// flags: -u 1 -s 500ms:3 -s 500ms:0
import { sleep } from 'k6';
export default function () { sleep(30); }
