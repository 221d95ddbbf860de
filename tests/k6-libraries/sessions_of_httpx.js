import { Get, Httpx, Post, Request } from 'https://jslib.k6.io/httpx/0.1.0/index.js';
import { describe, expect } from 'https://jslib.k6.io/k6chaijs/4.5.0.1/index.js';

export const options = { iterations: 1 };

const session = new Httpx({ baseURL: __ENV.BASE, headers: { 'X-Of': 'session' }, timeout: 5000, tags: { of: 'session' } });

export default function () {
  describe('session', () => {
    session.addHeader('X-Added', 'yes');
    session.addTag('added', 'yes');
    const response = session.post('/echo', JSON.stringify({ a: 1 }), { headers: { 'X-Own': 'request' } });
    const { headers } = response.json();
    console.log(headers['x-of'], headers['x-added'], headers['x-own'], response.json('body'));
    expect(response.status, 'status').to.equal(200);
    session.clearHeader('X-Added');
    session.clearTag('added');
    console.log(session.get('/echo').json('headers.x-added'));
    session.setBaseUrl(`${__ENV.BASE}/status`);
    const [first, second, third] = session.batch([new Get('/200'), new Post('/201', 'b'), new Request('DELETE', '/204')]);
    console.log(first.status, second.status, third.status);
    expect([first.status, second.status]).to.eql([200, 201]);
  });
}
