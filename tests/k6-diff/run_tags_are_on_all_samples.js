// flags: --tag build=7
import { check, group } from 'k6';
export const options = { iterations: 1 };
export default function () { group('g', () => check(1, { ok: true }, { own: 'x' })); }
