// differs in log: k6 adds that the frame looked like an HTTP/1.1 header
import http from 'k6/http';

export const options = { iterations: 1 };

export default function () {
  const response = http.get(__ENV.H2_TEXT, { tags: { name: 'text' } });
  console.log(response.status, response.error_code, response.error, response.body);
}
