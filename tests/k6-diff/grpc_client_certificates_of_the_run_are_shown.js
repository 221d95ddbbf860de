import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const read = (name) => open(`${__ENV.KEYS}/${name}`);
const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export const options = { iterations: 1, tlsAuth: [{ cert: read('client.pem'), key: read('client.key') }] };

export default function () {
  client.connect(__ENV.GRPC_MUTUAL, { timeout: 400 });
  attempt('shown', () => client.invoke('lab.v1.Lab/Wait', { millis: 1 }).message);
  client.close();
}
