import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

attempt('file', () => new grpc.Client().load(['data/grpc'], 'lab.proto'));
attempt('protoset', () => new grpc.Client().loadProtoset('data/grpc/lab.protoset').length);
attempt('nothing', () => new grpc.Client().load());
attempt('paths alone', () => new grpc.Client().load(['data/grpc']));
attempt('without services', () => new grpc.Client().load(['./data/grpc/'], 'shared/colour.proto'));
attempt('several files', () => new grpc.Client().load(['data/grpc'], 'shared/colour.proto', 'lab.proto').length);
attempt('several paths', () => new grpc.Client().load(['nowhere', 'data/grpc'], 'lab.proto').length);
attempt('beside the script', () => new grpc.Client().load(null, 'data/grpc/shared/colour.proto'));
attempt('above', () => new grpc.Client().load(['data/grpc/shared'], '../shared/colour.proto'));
attempt('twice', () => {
  const client = new grpc.Client();
  client.load(['data/grpc'], 'lab.proto');
  return client.load(['data/grpc'], 'lab.proto').length;
});
attempt('missing', () => new grpc.Client().load([], 'nosuch.proto'));
attempt('missing in a path', () => new grpc.Client().load(['data'], 'lab.proto'));
attempt('missing import', () => new grpc.Client().load([], 'data/grpc/lab.proto'));
attempt('text as paths', () => new grpc.Client().load('data/grpc', 'lab.proto'));
attempt('missing protoset', () => new grpc.Client().loadProtoset('nosuch.protoset'));
attempt('no protoset', () => new grpc.Client().loadProtoset('data/grpc/lab.proto'));

export default function () {
  const client = new grpc.Client();
  attempt('load', () => client.load(['data/grpc'], 'lab.proto'));
  attempt('loadProtoset', () => client.loadProtoset('data/grpc/lab.protoset'));
}
