-- Stores the rows of a checkpoint and removes those that are of no use any more.
--
-- KEYS[1] lane hash: field h is the head row (head-row.ts)
-- KEYS[2] hash of the log's checkpoints
--
-- ARGV[1]  epoch (24 bytes) under which it is stored
-- ARGV[2]  head seq of the checkpoint: the log must have come so far
-- ARGV[3]  number of rows, then for each: field, row
--          then the fields to remove
--
-- Returns 1, or 0 if another owner is there: then nothing has been written.
local row = redis.call('HGET', KEYS[1], 'h')
if not row or string.sub(row, 9, 32) ~= ARGV[1] or struct.unpack('<i8', row, 33) < tonumber(ARGV[2]) then
  return 0
end
local at = 4
for _ = 1, tonumber(ARGV[3]) do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
  at = at + 2
end
for i = at, #ARGV do
  redis.call('HDEL', KEYS[2], ARGV[i])
end
return 1
