// differs in log: Go says what the frame looked like
import http from 'k6/http';

export const options = { iterations: 1 };

export default function () {
  const response = http.get(__ENV.H2_TEXT, { tags: { name: 'text' } });
  console.log(response.status, response.error_code, response.error, response.body);
}
