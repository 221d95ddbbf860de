import http from 'k6/http';
export const options = { iterations: 2, throw: true };
export default function () {
  if (__ITER === 0) { http.get(`${__ENV.RAW}/close`); }
  console.log(http.get(`${__ENV.RAW}/close`, { throw: false }).error_code);
}
