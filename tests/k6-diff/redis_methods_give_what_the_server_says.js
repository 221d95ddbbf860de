// redis
import redis from 'k6/experimental/redis';

const client = new redis.Client(`${__ENV.REDIS}/1`);

async function show(name, call) {
  try {
    const value = await call();
    console.log(name, typeof value, JSON.stringify(value), Array.isArray(value));
  } catch (error) {
    console.log(name, 'throws', typeof error, String(error), JSON.stringify(error), Object.keys(error), error.error());
  }
}

export default async function () {
  const before = client.isConnected();
  await show('flush', () => client.sendCommand('FLUSHDB'));
  console.log(before, client.isConnected(), Object.keys(client).join());
  for (const value of ['text', 1.5, true, 1e21, -0, NaN, Infinity, null, undefined, {}, [1], new Date(0), () => 1, 10n]) {
    await show('set', () => client.set('value', value, 0));
    await show('get', () => client.get('value'));
  }
  await show('set with an end', () => client.set('ends', 'x', 100));
  await show('set without one', () => client.set('stays', 'x', -5));
  await show('set with a text', () => client.set('ends', 'x', '7'));
  for (const key of ['ends', 'stays', 'nothing']) await show('ttl', () => client.ttl(key));
  await show('getSet', () => client.getSet('ends', 'y'));
  await show('getSet of nothing', () => client.getSet('new', 'y'));
  await show('getDel', () => client.getDel('ends'));
  await show('getDel of nothing', () => client.getDel('ends'));
  await show('exists', () => client.exists('stays', 'stays', 'nothing'));
  await show('del', () => client.del('stays', 'nothing'));
  await show('del of none', () => client.del());
  await show('incr', () => client.incr('n'));
  await show('incrBy', () => client.incrBy('n', 10.9));
  await show('decr', () => client.decr('n'));
  await show('decrBy', () => client.decrBy('n', '3'));
  await show('incr of a text', () => client.incr('new'));
  await show('mget', () => client.mget('n', 'nothing', 'new'));
  await show('expire', () => client.expire('n', 100));
  await show('expire of nothing', () => client.expire('nothing', 100));
  await show('persist', () => client.persist('n'));
  await show('persist again', () => client.persist('n'));
  await show('lpush', () => client.lpush('list', 'a', 1, true, 2.5));
  await show('lpush of an object', () => client.lpush('list', 'a', {}));
  await show('rpush', () => client.rpush('list', 'z'));
  await show('lrange', () => client.lrange('list', 0, -1));
  await show('lindex', () => client.lindex('list', 0));
  await show('lindex of nothing', () => client.lindex('list', 99));
  await show('lset', () => client.lset('list', 0, 5));
  await show('lset of nothing', () => client.lset('list', 99, 'x'));
  await show('lrem', () => client.lrem('list', 0, '5'));
  await show('llen', () => client.llen('list'));
  await show('lpop', () => client.lpop('list'));
  await show('rpop', () => client.rpop('list'));
  await show('lpop of nothing', () => client.lpop('nothing'));
  await show('hset', () => client.hset('hash', 'f', 1));
  await show('hset of an object', () => client.hset('hash', { f: 1 }));
  await show('hsetnx', () => client.hsetnx('hash', 'f', 'v'));
  await show('hget', () => client.hget('hash', 'f'));
  await show('hget of nothing', () => client.hget('hash', 'g'));
  await show('hincrby', () => client.hincrby('hash', 'f', 2));
  await show('hgetall', () => client.hgetall('hash'));
  await show('hkeys', () => client.hkeys('hash'));
  await show('hvals', () => client.hvals('hash'));
  await show('hlen', () => client.hlen('hash'));
  await show('hdel', () => client.hdel('hash', 'f', 'g'));
  await show('sadd', () => client.sadd('set', 'a', 'b', 3));
  await show('srem', () => client.srem('set', 'a', 'c'));
  await show('sismember', () => client.sismember('set', 'b'));
  await show('sismember of none', () => client.sismember('set'));
  await show('smembers', async () => (await client.smembers('set')).sort());
  await show('srandmember', async () => typeof (await client.srandmember('set')));
  await show('spop', async () => typeof (await client.spop('set')));
  await show('spop of nothing', () => client.spop('nothing'));
  await show('a wrong type', () => client.get('list'));
  await show('randomKey', async () => typeof (await client.randomKey()));
  await show('sendCommand', () => client.sendCommand('ECHO', 5.5));
  await show('an unknown command', () => client.sendCommand('NOPE', 1));
  await show('a command with an object', () => client.sendCommand('ECHO', {}));
  await show('a list', () => client.sendCommand('LRANGE', 'list', 0, -1));
  await show('nothing', () => client.sendCommand('GET', 'nothing'));
  await show('lists in lists', () => client.sendCommand('EVAL', "return {1, 'a', false, {2, redis.error_reply('x y')}}", 0));
  await show('bytes', () => client.sendCommand('EVAL', "return '\\255\\254'", 0));
}
