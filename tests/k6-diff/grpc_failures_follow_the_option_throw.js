// flags: --throw
import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export default async function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  attempt('failed', () => client.invoke('lab.v1.Lab/Fail', { code: 5 }).status);
  attempt('late', () => client.invoke('lab.v1.Lab/Wait', { millis: 900 }, { timeout: 20 }).status);
  console.log((await client.asyncInvoke('lab.v1.Lab/Fail', { code: 7 })).status);
  client.close();
}
