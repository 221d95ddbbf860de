import http from 'k6/http';

export const options = { iterations: 1 };

export default function () {
  for (const end of ['H2_DATA', 'H2_WINDOW']) {
    const response = http.get(__ENV[end], { tags: { name: end } });
    console.log(end, response.status, response.error_code, response.error, response.body);
  }
}
