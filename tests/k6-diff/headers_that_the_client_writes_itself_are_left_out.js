// env: K6_USER_AGENT=own
import http from 'k6/http';

const given = { Connection: 'close', 'Keep-Alive': 'x', TE: 'trailers', Upgrade: 'x', 'Transfer-Encoding': 'chunked', Trailer: 'X-T', Accept: '', 'content-length': '50', Host: 'other.example', Cookie: 'a=b', 'user-agent': '' };

export default function () {
  http.cookieJar().set(__ENV.BASE, 'jar', 'c');
  for (const [name, value] of Object.entries(given)) {
    for (const method of ['GET', 'POST']) {
      const response = http.request(method, `${__ENV.BASE}/echo`, method === 'POST' ? 'body' : null, { headers: { [name]: value } });
      console.log(name, method, response.status, response.body);
      console.log(JSON.stringify(Object.entries(response.request.headers).sort()), JSON.stringify(response.request.cookies));
    }
  }
}
