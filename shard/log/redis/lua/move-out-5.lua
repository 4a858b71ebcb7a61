-- An enclave leaves this server: from now on nobody can open it here or append to it.
--
-- KEYS[1] lane hash: field h is the head row (head-row.ts); it becomes field m
-- KEYS[2] logs, KEYS[3] due, KEYS[4] erasures: the sorted sets that the member leaves
-- KEYS[5] moving: sorted set of members that are on their way, all with score 0
--
-- ARGV[1] member: prefix of the log (enclave32 lane4)
--
-- Returns the head row that was there, also when the move had begun before; false if there is no such log.
local row = redis.call('HGET', KEYS[1], 'h')
if not row then
  row = redis.call('HGET', KEYS[1], 'm')
  if row then
    -- Written once more, so that the WAIT behind it counts it.
    redis.call('HSET', KEYS[1], 'm', row)
  end
  return row
end
redis.call('HSET', KEYS[1], 'm', row)
redis.call('HDEL', KEYS[1], 'h')
redis.call('ZADD', KEYS[5], 0, ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
return row
