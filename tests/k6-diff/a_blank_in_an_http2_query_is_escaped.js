// differs: k6 sends it as it is, to which servers of HTTP/2 have no answer
import http from 'k6/http';

export const options = { iterations: 1 };

export default function () {
  const response = http.get(`${__ENV.TLS}/echo?a b`, { timeout: '1s', tags: { name: 'blank' } });
  console.log(response.status, response.error_code);
}
