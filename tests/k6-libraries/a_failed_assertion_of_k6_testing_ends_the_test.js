// differs in log: k6's column is that of the parenthesis of a call; here it is that of the called name
import { expect } from 'https://jslib.k6.io/k6-testing/0.6.1/index.js';

export const options = { iterations: 3 };

export default function () {
  expect({ a: 1 }).toEqual({ a: 2 });
  console.log('not reached');
}
