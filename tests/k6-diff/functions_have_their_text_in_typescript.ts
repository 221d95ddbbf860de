import { attempt } from './modules/attempts.js';

export const options = { iterations: 1 };

interface Shape { a: number }

function told(text) { return text.replace(/[\s;]+/g, ''); }
const one = (a: number) => a + 1;

export default function () {
  attempt('one', () => told(String(one)));
  attempt('none', () => told(String(Math.max)));
}
