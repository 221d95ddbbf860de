import { pick } from './circle_a.js';
let early;
try {
  early = pick({ f: (n) => ({ n }) }, 'f');
} catch (error) {
  early = String(error);
}
export const got = early;
