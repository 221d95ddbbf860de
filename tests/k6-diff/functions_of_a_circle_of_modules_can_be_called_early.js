import { got } from './modules/circle_a.js';
import { attempt } from './modules/attempts.js';

export const options = { iterations: 1 };

export default function () {
  attempt('early', () => got);
  attempt('place', () => { const key = 'nope'; try { ({})[key](...[1]); } catch (error) { return error.stack.split('\n')[1].replace(/\(\d+\)/, '').replace(/:\d+\)?$/, ''); } });
}
