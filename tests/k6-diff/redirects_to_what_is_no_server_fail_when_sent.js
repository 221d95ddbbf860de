import http from 'k6/http';

const targets = ['ftp://127.0.0.1/x', 'mailto:a@b', 'file:///etc/hostname', 'javascript:x', 'data:,x', 'http:///x', 'http://',
  'http:127.0.0.1', '//', 'http://127.0.0.1:99999/', 'http://a b/', 'HTTP://127.0.0.1:1/', 'http://127.0.0.1:1/a//b/../c d'];

export default function () {
  for (const target of targets) {
    const response = http.get(`${__ENV.BASE}/to?url=${encodeURIComponent(target)}`);
    const url = response.url.replace(__ENV.BASE, 'BASE');
    console.log(target, response.status, response.error_code, response.error, url, response.remote_ip, response.timings.duration > 0);
  }
}
