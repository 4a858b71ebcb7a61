-- An enclave has begun on another server: what is left of it here goes, and a mark says so to those who look for it here.
--
-- KEYS[1]  lane hash: field m is the head row that it left with, then the mark
-- KEYS[2]  moving: sorted set of members that are on their way
-- KEYS[3]  server hash: counts erasures, for the rewrite of the append-only file that they call for
-- KEYS[4..] its other keys
--
-- ARGV[1] member: prefix of the log (enclave32 lane4)
-- ARGV[2] the time now, ms
--
-- Returns 1, or 0 if the enclave is not on its way: then nothing has been written.
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  return 0
end
for i = 4, #KEYS do
  redis.call('UNLINK', KEYS[i])
end
redis.call('UNLINK', KEYS[1])
redis.call('HSET', KEYS[1], 'm', 'moved')
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'erased', 1)
redis.call('HSETNX', KEYS[3], 'erasedSince', ARGV[2])
return 1
