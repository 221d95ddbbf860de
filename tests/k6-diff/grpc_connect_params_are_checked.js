import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const params = [
  { nope: 1 },
  { plaintext: 'yes' },
  { timeout: 'x' },
  { timeout: null },
  { timeout: -1 },
  { timeout: 0 },
  { reflect: 'x' },
  { reflectMetadata: 5 },
  { reflectMetadata: { a: 5 } },
  { maxReceiveSize: 'x' },
  { maxReceiveSize: -5 },
  { maxSendSize: -5 },
  { maxSendSize: 5.5 },
  { tls: 5 },
  { tls: null },
  { tls: { cacerts: 5 } },
  { tls: { cacerts: ['y', 5] } },
  { tls: { cacerts: 'y' }, plaintext: false },
  { tls: { cert: 5 } },
  { tls: { key: 5, cert: 'x' } },
  { tls: { cert: 'x', key: 'y', password: 5 } },
];

export default function () {
  const client = new grpc.Client();
  for (const one of params) {
    attempt(JSON.stringify(one), () => client.connect(__ENV.GRPC, Object.assign({ plaintext: true }, one)));
  }
}
