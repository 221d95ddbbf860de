import http from 'k6/http';

export const options = { thresholds: { http_req_failed: ['rate==0'], 'http_reqs{expected_response:true}': ['count==1'] } };

export default function () {
  const reply = http.get(`${__ENV.BASE.replace('://', '://user:password@')}/json`, { auth: 'ntlm' });
  console.log(reply.status, reply.error_code);
}
