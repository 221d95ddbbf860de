import { check } from 'k6';
export const options = { iterations: 1 };
export default function () {
  try { check(1, { first: true, bad: () => { throw new Error('oh'); }, never: true }); } catch (e) { console.log(e.message); }
}
