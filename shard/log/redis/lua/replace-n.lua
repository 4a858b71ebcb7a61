-- Recovery: puts another tail in the place of what is behind a head, in one write.
--
-- KEYS[1] lane hash: field h is the head row (head-row.ts)
-- KEYS[2] due: sorted set of members by due time
-- KEYS[3] server hash: counts erasures, for the rewrite of the append-only file that they call for
-- KEYS[4..] what the changes are made to
--
-- ARGV[1] the head row that was read, all of it
-- ARGV[2] the new one
-- ARGV[3] due time as a number
-- ARGV[4] member: prefix of the log (enclave32 lane4)
-- ARGV[5] the time now, ms
-- ARGV[6] closed bundles that are kept: what is archived behind them is held against what comes in its place
-- ARGV[7..] changes, four each: what, number of its key in KEYS, a, b
--          HSET field value | HDEL field '' | UNLINK '' '' | SADD member '' | ZADD score member
--
-- Returns 1, or 0 if the head row is another one by now: then nothing has been written.
if redis.call('HGET', KEYS[1], 'h') ~= ARGV[1] then
  return 0
end
for i = 7, #ARGV, 4 do
  local what, key, a, b = ARGV[i], KEYS[tonumber(ARGV[i + 1])], ARGV[i + 2], ARGV[i + 3]
  if what == 'HSET' or what == 'ZADD' then
    redis.call(what, key, a, b)
  elseif what == 'UNLINK' then
    redis.call(what, key)
  else
    redis.call(what, key, a)
  end
end
if tonumber(redis.call('HGET', KEYS[1], 'a') or '0') > tonumber(ARGV[6]) then
  redis.call('HSET', KEYS[1], 'a', ARGV[6])
end
if ARGV[3] == '0' then
  redis.call('ZREM', KEYS[2], ARGV[4])
else
  redis.call('ZADD', KEYS[2], ARGV[3], ARGV[4])
end
redis.call('HSET', KEYS[1], 'h', ARGV[2])
redis.call('HINCRBY', KEYS[3], 'erased', 1)
redis.call('HSETNX', KEYS[3], 'erasedSince', ARGV[5])
return 1
