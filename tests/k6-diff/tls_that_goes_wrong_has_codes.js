import http from 'k6/http';

export const options = { iterations: 1 };

export default function () {
  for (const end of ['TLS_DATA', 'TLS_CIPHER', 'TLS_SHORT_ALERT', 'TLS_SHORT_HELLO', 'TLS_ALERT', 'TLS_SUITE']) {
    const { status, error_code, error } = http.get(__ENV[end]);
    console.log(end, status, error_code, error);
  }
}
