// differs: HTTP/2 forbids the header; k6 bears it, the library here takes the response for broken
import http from 'k6/http';

export const options = { iterations: 1 };

export default function () {
  const { status, error_code, headers } = http.get(__ENV.H2_CONNECTION);
  console.log(status, error_code, JSON.stringify(headers));
}
