// differs in console: k6 tries to reach a blocked host until the timeout, and says so before the reason
import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');
const root = open(`${__ENV.KEYS}/root.pem`);

export const options = {
  iterations: 1,
  insecureSkipTLSVerify: true,
  blockHostnames: ['*.blocked.test'],
  blacklistIPs: ['10.0.0.0/8'],
  hosts: { 'lab.test': '127.0.0.1', 'ten.test': '10.1.2.3' },
  userAgent: 'mine',
};

function call(address, params) {
  client.connect(address, Object.assign({ timeout: 400 }, params));
  const answer = client.invoke('lab.v1.Lab/Wait', { millis: 1 }).message;
  client.close();
  return answer;
}

export default function () {
  const port = __ENV.GRPC.split(':')[1];
  attempt('named host', () => call(`lab.test:${port}`, { plaintext: true }));
  attempt('blocked host', () => call(`a.blocked.test:${port}`, { plaintext: true }));
  attempt('blocked address', () => call(`ten.test:${port}`, { plaintext: true }));
  attempt('any certificate', () => call(__ENV.GRPC_UNKNOWN));
  attempt('any certificate, own authority', () => call(__ENV.GRPC_UNKNOWN, { tls: { cacerts: root } }));
}
