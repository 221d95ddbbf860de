import http from 'k6/http';
export const options = { iterations: 1, userAgent: 'mine/1' };
export default function () {
  const headers = { 'x-lower': 'a', 'X-NUMBER': 5, 'X-Bool': true, 'X-Null': null, host: 'other.test', 'Content-Length': '77' };
  const r = http.post(`${__ENV.RAW}/echo`, 'body', { headers });
  console.log(r.body.split('\n').slice(1).sort().join('|').replace(/\r/g, ''));
  console.log(JSON.stringify(Object.keys(r.request.headers).sort()));
  const own = http.get(`${__ENV.RAW}/echo`, { headers: { 'User-Agent': 'own' } });
  console.log(own.body.includes('User-Agent: own'), own.body.includes('mine'));
}
