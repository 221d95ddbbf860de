import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  for (const timeout of [50, '50ms', -5]) {
    attempt(timeout, () => client.invoke('lab.v1.Lab/Wait', { millis: 2000 }, { timeout }));
  }
  attempt('in time', () => client.invoke('lab.v1.Lab/Wait', { millis: 1 }, { timeout: 2000 }));
  client.close();
}
