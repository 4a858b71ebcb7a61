-- Moves the archive's cursor: how many bundles are in the archive, verified.
--
-- KEYS[1] lane hash: field h is the head row (head-row.ts), field a the cursor
--
-- ARGV[1] where it must be
-- ARGV[2] where it is to be: the log must have so many closed bundles
--
-- Returns 1, or 0 if it is another one: then nothing has been written.
local row = redis.call('HGET', KEYS[1], 'h')
if not row or tonumber(redis.call('HGET', KEYS[1], 'a') or '0') ~= tonumber(ARGV[1])
  or struct.unpack('<I8', row, 73) < tonumber(ARGV[2]) then
  return 0
end
redis.call('HSET', KEYS[1], 'a', ARGV[2])
return 1
