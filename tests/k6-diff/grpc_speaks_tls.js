import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const read = (name) => open(`${__ENV.KEYS}/${name}`);
const cacerts = read('root.pem');
const cert = read('client.pem');
const key = read('client.key');
const locked = read('locked.key');

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

function call(address, params) {
  client.connect(address, Object.assign({ timeout: 400 }, params));
  const answer = client.invoke('lab.v1.Lab/Wait', { millis: 1 }).message;
  client.close();
  return answer;
}

export default function () {
  attempt('believed by the system', () => call(__ENV.GRPC_TLS));
  attempt('believed by the script', () => call(__ENV.GRPC_TLS, { tls: { cacerts } }));
  attempt('in a list', () => call(__ENV.GRPC_TLS, { tls: { cacerts: [cacerts] } }));
  attempt('unknown authority', () => call(__ENV.GRPC_UNKNOWN));
  attempt('client certificate', () => call(__ENV.GRPC_MUTUAL, { tls: { cacerts, cert, key } }));
  attempt('locked key', () => call(__ENV.GRPC_MUTUAL, { tls: { cert, key: locked, password: 'open sesame' } }));
}
