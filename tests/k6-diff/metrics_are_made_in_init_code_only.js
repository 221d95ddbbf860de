import { Counter } from 'k6/metrics';
export const options = { iterations: 1 };
export default function () { try { new Counter('late'); } catch (e) { console.log(e.message); } }
