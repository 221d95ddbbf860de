import http from 'k6/http';
import { expect } from 'https://jslib.k6.io/k6-testing/0.6.1/index.js';

export const options = { iterations: 1 };

const soft = expect.configure({ soft: true, softMode: 'fail' });
const attempt = (what, f) => {
  try {
    console.log(what, f());
  } catch (error) {
    console.log(what, error.name, error.message);
  }
};

export default function () {
  const response = http.get(`${__ENV.BASE}/json`);
  attempt('passing', () => {
    expect(response.status).toBe(200);
    expect(response.status).toEqual(200);
    expect(response.status).toBeGreaterThan(199);
    expect(response.status).toBeLessThanOrEqual(200);
    expect(response.json()).toBeInstanceOf(Object);
    expect([1, 2, 3]).toContain(2);
    expect([1, { a: 1 }]).toContainEqual({ a: 1 });
    expect('a text').toContain('text');
    expect({ a: { b: 1 } }).toHaveProperty('a.b', 1);
    expect([1, 2]).toHaveLength(2);
    expect(0.1 + 0.2).toBeCloseTo(0.3);
    expect(null).toBeNull();
    expect(undefined).toBeUndefined();
    expect(NaN).toBeNaN();
    expect(1).not.toBe(2);
    expect('').toBeFalsy();
    return 'passed';
  });
  soft(1).toEqual(2);
  soft('soft').toContain('x');
  console.log('soft assertions go on');
}
