//! Scripts that Redis runs atomically. `KEYS[1]` is the prefix of all keys; the time is the server's, so
//! that replicas need not have synchronized clocks.

use std::sync::LazyLock;

use redis::Script;

/// The current time, in microseconds and in milliseconds.
const TIME: &str = "
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now_ms = math.floor(now_us / 1000)
local prefix = KEYS[1]
";

/// Job functions that several scripts need.
const JOB: &str = "
local function put_back(key, id, urgency)
  local stream = prefix .. 'jobs:' .. urgency
  redis.pcall('XGROUP', 'CREATE', stream, 'workers', '0', 'MKSTREAM')
  redis.call('HSET', key, 'entry', redis.call('XADD', stream, '*', 'id', id))
end
local function take_out(key)
  local at = redis.call('HMGET', key, 'urgency', 'entry')
  local stream = prefix .. 'jobs:' .. at[1]
  redis.call('XACK', stream, 'workers', at[2])
  redis.call('XDEL', stream, at[2])
end
local function finish(key, state, keep_ms)
  take_out(key)
  redis.call('HDEL', key, 'payload')
  redis.call('HSET', key, 'state', state, 'ended', string.format('%.0f', now_ms))
  redis.call('PEXPIRE', key, keep_ms)
  local ended = prefix .. 'jobs:' .. state
  redis.call('ZREMRANGEBYSCORE', ended, '-inf', now_ms - keep_ms)
  redis.call('ZADD', ended, now_ms, string.sub(key, #prefix + 5))
  redis.call('PEXPIRE', ended, keep_ms)
end
local function refusal(key, epoch)
  local job = redis.call('HMGET', key, 'state', 'epoch')
  if not job[1] then return 'missing' end
  if job[1] ~= 'pending' and job[1] ~= 'running' then return job[1] end
  if job[1] ~= 'running' or job[2] ~= epoch then return 'fenced' end
  return false
end
local function view(key)
  return redis.call('HMGET', key, 'request', 'tenant', 'urgency', 'state', 'progress', 'epoch',
    'lost', 'created', 'started', 'ended', 'outcome')
end
";

/// Marks of everything that can be invalidated: a number for each scope that was ever used, and the start
/// of the marks.
const MARKS: &str = "
local function begin(keep_ms)
  local key = prefix .. 'marks'
  -- Seldom: each change is written to disk.
  if redis.call('PTTL', key) < tonumber(keep_ms) then
    redis.call('HSETNX', key, 'born', string.format('%.0f', now_us))
    redis.call('PEXPIRE', key, 2 * keep_ms)
  end
end
local function marks_of(scopes, keep_ms)
  begin(keep_ms)
  local marks = redis.call('HMGET', prefix .. 'marks', 'born', 'changes',
    unpack(cjson.decode(scopes)))
  for i, mark in ipairs(marks) do marks[i] = mark or '0' end
  local changes = table.remove(marks, 2)
  return marks[1] .. ':' .. changes, marks
end
";

pub(super) struct Lazy(LazyLock<Script>);

impl std::ops::Deref for Lazy {
    type Target = Script;
    fn deref(&self) -> &Script {
        &self.0
    }
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $($part:expr),+;)*) => {
        $($(#[$doc])* pub(super) static $name: Lazy =
            Lazy(LazyLock::new(|| Script::new(&[TIME, $($part),+].concat())));)*
    };
}

scripts! {
    /// A proof or nothing, and the one to replace or nothing. Returns the proof that is stored now.
    PROVE = "
local key = prefix .. 'proof'
local found = redis.call('GET', key)
if ARGV[1] ~= '' and (not found or found == ARGV[2]) then
  redis.call('SET', key, ARGV[1])
  return ARGV[1]
end
return found or ''";

    /// Key, interval and tolerance in microseconds. Returns whether the request passes, and TAT minus now.
    GCRA = "
local key = prefix .. 'rate:' .. ARGV[1]
local interval, tolerance = tonumber(ARGV[2]), tonumber(ARGV[3])
local tat = math.max(tonumber(redis.call('GET', key) or 0), now_us)
local allowed = 0
if tat + interval - now_us <= tolerance then
  allowed = 1
  tat = tat + interval
  redis.call('SET', key, string.format('%.3f', tat), 'PX', math.ceil((tat - now_us) / 1000) + 1)
end
return {allowed, math.ceil(tat - now_us)}";

    /// Key, fingerprint, owner, lease. Returns run, conflict, running, or replay with status and body.
    BEGIN = "
local key = prefix .. 'idempotency:' .. ARGV[1]
local found = redis.call('HMGET', key, 'fingerprint', 'status', 'body')
if not found[1] then
  redis.call('HSET', key, 'fingerprint', ARGV[2], 'owner', ARGV[3])
  redis.call('PEXPIRE', key, ARGV[4])
  return {'run'}
end
if found[1] ~= ARGV[2] then return {'conflict'} end
if found[3] then return {'replay', found[2], found[3]} end
return {'running'}";

    /// Key, fingerprint, owner, status, body, keep. The first answer remains.
    ANSWER = "
local key = prefix .. 'idempotency:' .. ARGV[1]
local found = redis.call('HMGET', key, 'fingerprint', 'owner')
if found[1] and found[2] ~= ARGV[3] then return 0 end
redis.call('HDEL', key, 'owner')
redis.call('HSET', key, 'fingerprint', ARGV[2], 'status', ARGV[4], 'body', ARGV[5])
redis.call('PEXPIRE', key, ARGV[6])
return 1";

    /// Key, owner. Frees the key.
    ABANDON = "
local key = prefix .. 'idempotency:' .. ARGV[1]
if redis.call('HGET', key, 'owner') == ARGV[2] then redis.call('DEL', key) end
return 1";

    /// Key, keep, scopes as a JSON array. Returns the number of invalidations, the marks of the scopes, and
    /// body and age in milliseconds of the entry stored under the same marks.
    CACHE_GET = MARKS, "
local version, marks = marks_of(ARGV[3], ARGV[2])
local key = prefix .. 'cache:' .. ARGV[1]
local found = redis.call('HMGET', key, 'body', 'stored', 'marks')
if not found[1] then return {version, marks, false, false} end
if found[3] ~= table.concat(marks, ',') then
  redis.call('DEL', key)
  return {version, marks, false, false}
end
return {version, marks, found[1], math.max(0, now_ms - found[2])}";

    /// Key, body, keep, the marks under which it was made, scopes as a JSON array. An invalid entry does
    /// not replace a valid one.
    CACHE_PUT = MARKS, "
local version, marks = marks_of(ARGV[5], ARGV[3])
if table.concat(marks, ',') ~= ARGV[4] then return 0 end
local key = prefix .. 'cache:' .. ARGV[1]
redis.call('HSET', key, 'body', ARGV[2], 'stored', string.format('%.0f', now_ms),
  'marks', ARGV[4])
redis.call('PEXPIRE', key, ARGV[3])
return 1";

    /// Scope, keep, maximum number of scopes. Invalidates the entries made under the scope. The marks
    /// outlive every entry; if there are too many, all are reset, which invalidates everything.
    CACHE_INVALIDATE = MARKS, "
local key = prefix .. 'marks'
if redis.call('HLEN', key) > tonumber(ARGV[3]) then redis.call('DEL', key) end
begin(ARGV[2])
redis.call('HINCRBY', key, ARGV[1], 1)
redis.call('HINCRBY', key, 'changes', 1)
redis.call('PEXPIRE', key, 2 * ARGV[2])
return 1";

    /// Id, request, tenant, urgency, payload, open limit, limit, keep. Returns the time, or 0 if full.
    SUBMIT = JOB, "
local key, all = prefix .. 'job:' .. ARGV[1], prefix .. 'jobs:all'
local open = 0
for urgency = 0, 3 do open = open + redis.call('XLEN', prefix .. 'jobs:' .. urgency) end
if open >= tonumber(ARGV[6]) then return {'open', 0} end
redis.call('ZREMRANGEBYSCORE', all, '-inf', now_ms - 2 * tonumber(ARGV[8]))
if redis.call('ZCARD', all) >= tonumber(ARGV[7]) then return {'all', 0} end
redis.call('HSET', key, 'request', ARGV[2], 'tenant', ARGV[3], 'urgency', ARGV[4],
  'payload', ARGV[5], 'state', 'pending', 'epoch', 0, 'lost', 0, 'progress', '0',
  'created', string.format('%.0f', now_ms))
redis.call('ZADD', all, now_ms, ARGV[1])
redis.call('PEXPIRE', all, 2 * ARGV[8])
put_back(key, ARGV[1], ARGV[4])
return {'ok', now_ms}";

    /// Consumer, lease, maximum of lost workers, keep. Returns id, payload and the job; empty if there is
    /// none.
    CLAIM = JOB, "
for urgency = 3, 0, -1 do
  local stream = prefix .. 'jobs:' .. urgency
  while redis.call('EXISTS', stream) == 1 do
    local cursor, entry, lost = '0-0', nil, 1
    repeat
      local taken = redis.call('XAUTOCLAIM', stream, 'workers', ARGV[1], ARGV[2], cursor,
        'COUNT', 1)
      cursor, entry = taken[1], taken[2][1]
    until entry or cursor == '0-0'
    if not entry then
      local read = redis.call('XREADGROUP', 'GROUP', 'workers', ARGV[1], 'COUNT', 1,
        'STREAMS', stream, '>')
      entry, lost = read and read[1][2][1], 0
    end
    if not entry then break end
    local id = entry[2][2]
    local key = prefix .. 'job:' .. id
    local job = redis.call('HMGET', key, 'state', 'entry')
    if (job[1] ~= 'pending' and job[1] ~= 'running') or job[2] ~= entry[1] then
      redis.call('XACK', stream, 'workers', entry[1])
      redis.call('XDEL', stream, entry[1])
    elseif redis.call('HINCRBY', key, 'lost', lost) >= tonumber(ARGV[3]) then
      finish(key, 'failed', ARGV[4])
    else
      redis.call('HINCRBY', key, 'epoch', 1)
      redis.call('HSET', key, 'state', 'running', 'progress', '0')
      redis.call('HSETNX', key, 'started', string.format('%.0f', now_ms))
      return {id, redis.call('HGET', key, 'payload'), view(key)}
    end
  end
end
return {}";

    /// Id, epoch, consumer, progress.
    RENEW = JOB, "
local key = prefix .. 'job:' .. ARGV[1]
local refused = refusal(key, ARGV[2])
if refused then return refused end
local job = redis.call('HMGET', key, 'urgency', 'entry', 'progress')
redis.call('XCLAIM', prefix .. 'jobs:' .. job[1], 'workers', ARGV[3], 0, job[2], 'JUSTID')
if tonumber(ARGV[4]) > tonumber(job[3]) then redis.call('HSET', key, 'progress', ARGV[4]) end
return 'ok'";

    /// Id, epoch, state, outcome, keep.
    FINISH = JOB, "
local key = prefix .. 'job:' .. ARGV[1]
local refused = refusal(key, ARGV[2])
if refused then return refused end
finish(key, ARGV[3], ARGV[5])
redis.call('HSET', key, 'outcome', ARGV[4], 'progress', '1')
return 'ok'";

    /// Id, epoch, 1 if the worker was lost, maximum of lost workers, keep.
    GIVE_BACK = JOB, "
local key = prefix .. 'job:' .. ARGV[1]
local refused = refusal(key, ARGV[2])
if refused then return refused end
if redis.call('HINCRBY', key, 'lost', ARGV[3]) >= tonumber(ARGV[4]) then
  finish(key, 'failed', ARGV[5])
else
  take_out(key)
  redis.call('HSET', key, 'state', 'pending')
  put_back(key, ARGV[1], redis.call('HGET', key, 'urgency'))
end
return 'ok'";

    /// Id, tenant or nothing for all, keep. Returns `ok` and the job, or the reason why not.
    CANCEL = JOB, "
local key = prefix .. 'job:' .. ARGV[1]
local job = redis.call('HMGET', key, 'state', 'tenant')
if not job[1] or (ARGV[2] ~= '' and ARGV[2] ~= job[2]) then return {'missing', {}} end
if job[1] ~= 'pending' and job[1] ~= 'running' then return {job[1], {}} end
finish(key, 'cancelled', ARGV[3])
return {'ok', view(key)}";

    /// Id. Returns the job, or fields that are all empty.
    VIEW = JOB, "
return view(prefix .. 'job:' .. ARGV[1])";

    /// Keep. Returns the numbers of pending, running, completed, failed and cancelled jobs.
    STATES = "
local waiting, running = 0, 0
for urgency = 0, 3 do
  local stream = prefix .. 'jobs:' .. urgency
  if redis.call('EXISTS', stream) == 1 then
    local taken = redis.call('XPENDING', stream, 'workers')[1]
    running = running + taken
    waiting = waiting + redis.call('XLEN', stream) - taken
  end
end
local found = {waiting, running}
for _, state in ipairs({'completed', 'failed', 'cancelled'}) do
  local ended = prefix .. 'jobs:' .. state
  redis.call('ZREMRANGEBYSCORE', ended, '-inf', now_ms - ARGV[1])
  found[#found + 1] = redis.call('ZCARD', ended)
end
return found";

    /// Idle time in milliseconds. Removes workers that hold nothing and were silent for that time. A
    /// removed worker that is still alive is registered again by its next query.
    SWEEP = "
local swept = 0
for urgency = 0, 3 do
  local stream = prefix .. 'jobs:' .. urgency
  if redis.call('EXISTS', stream) == 1 then
    for _, fields in ipairs(redis.call('XINFO', 'CONSUMERS', stream, 'workers')) do
      local worker = {}
      for i = 1, #fields, 2 do worker[fields[i]] = fields[i + 1] end
      if worker.pending == 0 and worker.idle > tonumber(ARGV[1]) then
        redis.call('XGROUP', 'DELCONSUMER', stream, 'workers', worker.name)
        swept = swept + 1
      end
    end
  end
end
return swept";

    /// Worker. Removes it unless it holds something.
    LEAVE = "
for urgency = 0, 3 do
  local stream = prefix .. 'jobs:' .. urgency
  if redis.call('EXISTS', stream) == 1 then
    local holds = redis.call('XPENDING', stream, 'workers', '-', '+', 1, ARGV[1])
    if #holds == 0 then redis.call('XGROUP', 'DELCONSUMER', stream, 'workers', ARGV[1]) end
  end
end
return 1";

    /// Tenant or nothing, state or nothing, limit. Returns id and job of each, newest first.
    LIST = JOB, "
local all, found = prefix .. 'jobs:all', {}
for _, id in ipairs(redis.call('ZREVRANGE', all, 0, -1)) do
  if #found >= tonumber(ARGV[3]) then break end
  local job = view(prefix .. 'job:' .. id)
  if not job[4] then
    redis.call('ZREM', all, id)
  elseif (ARGV[1] == '' or ARGV[1] == job[2]) and (ARGV[2] == '' or ARGV[2] == job[4]) then
    job[11] = false
    found[#found + 1] = {id, job}
  end
end
return found";
}
