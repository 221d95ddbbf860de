// differs: HTTP/2 forbids the header; k6 tolerates it, the library used here rejects the response
import http from 'k6/http';

export const options = { iterations: 1 };

export default function () {
  const { status, error_code, headers } = http.get(__ENV.H2_CONNECTION);
  console.log(status, error_code, JSON.stringify(headers));
}
