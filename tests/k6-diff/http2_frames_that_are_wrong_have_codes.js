// differs: the HTTP/2 library reports most frame errors as PROTOCOL_ERROR of the connection; k6 distinguishes them
import http from 'k6/http';

export const options = { iterations: 1 };

export default function () {
  for (const end of ['H2_SETTINGS', 'H2_PACKED', 'H2_HEADER']) {
    const { status, error_code, error } = http.get(__ENV[end]);
    console.log(end, status, error_code, error);
  }
}
