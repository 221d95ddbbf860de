import { sleep } from 'k6';
import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true, maxReceiveSize: 100, maxSendSize: 50 });
  attempt('fits', () => client.invoke('lab.v1.Lab/Fill', { value: 98 }).message.text.length);
  attempt('received', () => client.invoke('lab.v1.Lab/Fill', { value: 200 }));
  attempt('sent', () => client.invoke('lab.v1.Lab/Odd', { text: 'x'.repeat(100) }));
  client.close();
  client.connect(__ENV.GRPC, { plaintext: true });
  attempt('large', () => client.invoke('lab.v1.Lab/Fill', { value: 3 << 20 }).message.text.length);
  attempt('larger', () => client.invoke('lab.v1.Lab/Fill', { value: 5 << 20 }).error);
  attempt('large request', () => client.invoke('lab.v1.Lab/Echo', { aString: 'y'.repeat(3 << 20) }).message.aString.length);
  client.close();
  sleep(1.5); // virtual users are counted each second
}
