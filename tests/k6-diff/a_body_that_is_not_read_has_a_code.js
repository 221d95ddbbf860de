import http from 'k6/http';

export const options = { iterations: 1 };

export default function () {
  const { status, error_code, error } = http.post(`${__ENV.RAW}/deaf`, 'x'.repeat(20000000));
  console.log(status, error_code, error.replace(/127.0.0.1:\d+/g, 'ADDRESS'));
}
