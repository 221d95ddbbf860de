// differs in console: the reasons why a certificate or a key cannot be read are worded differently, and a password for a key without one is ignored
import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const read = (name) => open(`${__ENV.KEYS}/${name}`);
const cacerts = read('root.pem');
const cert = read('client.pem');
const key = read('client.key');
const locked = read('locked.key');

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export default function () {
  const pairs = {
    'a wrong key': { cert, key: 'x' },
    'a wrong certificate': { cert: 'x', key },
    'wrong authorities': { cacerts: 'x', cert, key },
    'a locked key': { cert, key: locked },
    'a wrong password': { cert, key: locked, password: 'x' },
    'a needless password': { cacerts, cert, key, password: 'x' },
  };
  for (const [name, tls] of Object.entries(pairs)) {
    attempt(name, () => client.connect(__ENV.GRPC_MUTUAL, { timeout: 400, tls }));
    client.close();
  }
}
