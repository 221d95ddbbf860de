import http from 'k6/http';
import chai, { describe, expect } from 'https://jslib.k6.io/k6chaijs/4.5.0.1/index.js';

export const options = { iterations: 1 };

chai.config.logFailures = true;

export default function () {
  const response = http.get(`${__ENV.BASE}/json`);
  const whole = describe('passes', () => {
    expect(response.status, 'status').to.equal(200);
    expect(response).to.have.validJsonBody();
    expect(response.json()).to.be.an('object');
    expect('text').to.match(/^t/).and.have.lengthOf(4);
    expect({ a: { b: [1, 2] } }).to.deep.include({ a: { b: [1, 2] } });
    expect({ a: { b: [1, 2] } }).to.have.nested.property('a.b[1]', 2);
    expect([1, 2, 3]).to.include.members([3, 1]);
    expect(() => { throw new TypeError('wrong'); }).to.throw(TypeError, 'wrong');
    expect(new Map([['a', 1]])).to.have.key('a');
    expect(1.5).to.be.closeTo(1.4, 0.2);
    expect(Symbol('s')).to.be.a('symbol');
  });
  console.log(whole);
  console.log(describe('fails', () => {
    expect(response.status, 'status').to.equal(404);
    console.log('not reached');
  }));
  console.log(describe('compares', () => expect({ a: [1, { b: 2 }] }, 'value').to.eql({ a: [1, { b: 3 }] })));
  try {
    describe('throws', () => { throw new Error('mine'); });
  } catch (error) {
    console.log('outside', error.message);
  }
}
