import grpc from 'k6/net/grpc';
import * as all from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');
console.log(Object.keys(all).filter((name) => !name.startsWith('Health') && name !== 'default').sort().join());
attempt('connect', () => client.connect(__ENV.GRPC, { plaintext: true }));
attempt('invoke', () => client.invoke('lab.v1.Lab/Echo', {}));
attempt('stream', () => new grpc.Stream(client, 'lab.v1.Lab/Chat'));

export default function () {
  attempt('not connected', () => client.invoke('lab.v1.Lab/Echo', {}));
  attempt('close', () => client.close());
  attempt('connect', () => client.connect(__ENV.GRPC, { plaintext: true }));
  attempt('connect again', () => client.connect(__ENV.GRPC, { plaintext: true }));
  attempt('invoke', () => client.invoke('lab.v1.Lab/Wait', {}).message);
  attempt('close', () => client.close());
  attempt('close again', () => client.close());
  attempt('closed', () => client.invoke('lab.v1.Lab/Echo', {}));
  attempt('without new', () => grpc.Client().connect(__ENV.GRPC, { plaintext: true }));
}
