// differs: k6 sends the blank as it is, to which servers of HTTP/2 never answer; here it is sent as %20
import http from 'k6/http';

export const options = { iterations: 1 };

export default function () {
  const response = http.get(`${__ENV.TLS}/echo?a b`, { timeout: '1s', tags: { name: 'blank' } });
  console.log(response.status, response.error_code);
}
