import { fail } from 'k6';
export const options = { iterations: 2 };
export default function () { if (__ITER === 0) fail('not this time'); console.log('second'); }
