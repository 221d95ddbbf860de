import { Rate } from 'k6/metrics';
const rate = new Rate('truth');
export const options = { iterations: 1 };
export default function () { for (const v of [true, false, 1, 0, 5]) rate.add(v); }
