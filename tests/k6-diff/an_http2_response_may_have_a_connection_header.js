// differs: the library of HTTP/2 takes it for a broken response, as the standard says
import http from 'k6/http';

export const options = { iterations: 1 };

export default function () {
  const { status, error_code, headers } = http.get(__ENV.H2_CONNECTION);
  console.log(status, error_code, JSON.stringify(headers));
}
