// differs: k6 sends the space unescaped, and HTTP/2 servers never answer that; here it is sent as %20
import http from 'k6/http';

export const options = { iterations: 1 };

export default function () {
  const response = http.get(`${__ENV.TLS}/echo?a b`, { timeout: '1s', tags: { name: 'blank' } });
  console.log(response.status, response.error_code);
}
