import http from 'k6/http';

const targets = ['', '/', '?q', '/x?a b', '/x?ä=ü', '/ä?b', '/x y', '/x?"<>`{}|\\^', '/"<>`{}|\\^[]', '/[a]', '/%41%7e?%41', '/%41 %2f',
  '/a//b/../c', '/x?', '/x?#', '/x#', '/x#f?b', '/x?a#f', "/;=@:&+$,!*'()~", '/x?a=b c&d=%20+'];

export default function () {
  const without = (text) => text.split(__ENV.RAW).join('RAW');
  for (const target of targets) {
    for (const url of [`${__ENV.RAW}${target}`, `${__ENV.BASE}/to?url=${encodeURIComponent(__ENV.RAW + target)}`]) {
      const response = http.get(url);
      console.log(target, without(response.url), without(response.request.url), response.body.split('\n')[0]);
    }
  }
  for (const target of ['/echo?ä=ü', '/ä']) {
    const response = http.get(`${__ENV.TLS}${target}`);
    console.log(target, response.proto, response.status, response.url.replace(__ENV.TLS, 'TLS'));
  }
}
