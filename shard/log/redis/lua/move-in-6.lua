-- An enclave whose keys have all been copied and compared begins on this server, under a raised epoch.
--
-- KEYS[1] lane hash: field m is the head row that it left with (head-row.ts); it becomes field h
-- KEYS[2] logs: sorted set of all members, all with score 0
-- KEYS[3] due: sorted set of members by due time
-- KEYS[4] erasures: sorted set of members whose Deletes are still to be carried out, by time
-- KEYS[5] Deletes of this lane that are still to be carried out: set of event ids
-- KEYS[6] moving: sorted set of members that are on their way; one that comes back to where it was is no longer
--
-- ARGV[1] member: prefix of the log (enclave32 lane4)
-- ARGV[2] the head row that it left with
-- ARGV[3] due time as a number
--
-- Returns 1, also when it had begun before; 0 if another row is there: then nothing has been written.
local begun = redis.call('HGET', KEYS[1], 'h')
if begun then
  if struct.unpack('<I8', begun, 9) <= struct.unpack('<I8', ARGV[2], 9) then
    return 0
  end
  -- Written once more, so that the WAIT behind it counts it.
  redis.call('HSET', KEYS[1], 'h', begun)
  return 1
end
if redis.call('HGET', KEYS[1], 'm') ~= ARGV[2] then
  return 0
end
local row = ARGV[2]
redis.call('HSET', KEYS[1], 'h',
  string.sub(row, 1, 8) .. struct.pack('<I8', struct.unpack('<I8', row, 9) + 1) .. string.sub(row, 17))
redis.call('HDEL', KEYS[1], 'm')
redis.call('ZADD', KEYS[2], 0, ARGV[1])
if ARGV[3] ~= '0' then
  redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
end
if redis.call('EXISTS', KEYS[5]) == 1 then
  redis.call('ZADD', KEYS[4], 0, ARGV[1])
end
redis.call('ZREM', KEYS[6], ARGV[1])
return 1
