-- Stores index rows, which are derived from the events up to a seq.
--
-- KEYS[1] lane hash: field h is the head row (head-row.ts)
-- KEYS[2] hash that the rows belong to
--
-- ARGV[1]  generation that the rows are of (u32): bytes 132..135 of the head row
-- ARGV[2]  seq of the last event that they are derived from
-- ARGV[3..] field, row, ..
--
-- Returns 1, or 0 if the tail of the log has been replaced meanwhile: then nothing has been written.
local row = redis.call('HGET', KEYS[1], 'h')
if not row or string.sub(row, 133, 136) ~= ARGV[1] or struct.unpack('<i8', row, 33) < tonumber(ARGV[2]) then
  return 0
end
for i = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
return 1
