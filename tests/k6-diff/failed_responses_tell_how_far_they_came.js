// differs in log: k6 also names the addresses of the broken connection, and has another message for GOAWAY
import http from 'k6/http';

const parts = ['connecting', 'tls_handshaking', 'sending', 'waiting', 'receiving', 'duration'];

function tell(name, response) {
  const spent = parts.filter((part) => response.timings[part] > 0);
  const isOurs = response.remote_port === Number(response.url.split(/[:/]+/)[2]);
  console.log(name, response.error_code, response.remote_ip, isOurs, response.remote_port > 0, spent.join());
}

export default function () {
  for (const path of ['reset', 'close', 'short', 'half-head', 'garbage', 'bad-chunk', 'not-gzip', 'bad-location']) {
    tell(path, http.get(`${__ENV.RAW}/${path}`));
  }
  tell('late', http.get(`${__ENV.RAW}/hang`, { timeout: 100 }));
  tell('refused', http.get('http://127.0.0.1:1/'));
  tell('unknown authority', http.get(`${__ENV.UNKNOWN}/json`));
  tell('stream', http.get(`${__ENV.FAULTS}/rst/8`));
  tell('session', http.get(`${__ENV.FAULTS}/goaway/11`));
  tell('redirected', http.get(`${__ENV.BASE}/to?url=${encodeURIComponent('http://127.0.0.1:1/y')}`));
  tell('redirected and late', http.get(`${__ENV.BASE}/to?url=/delay/2000`, { timeout: 200 }));
}
