-- Puts a batch whose erased contents are gone in the place of the one that had them.
--
-- KEYS[1] lane hash: field h is the head row (head-row.ts)
-- KEYS[2] hash of the segment that the batch is in
-- KEYS[3] server hash: counts erasures, for the rewrite of the append-only file that they call for
--
-- ARGV[1] be16 place of the batch in its segment
-- ARGV[2] checksum (4 bytes) of the row that was read
-- ARGV[3] the row with the events marked erased (entry-row.ts)
-- ARGV[4] the contents that are left, '' for none
-- ARGV[5] the time now, ms
--
-- Returns 1, or 0 if the batch is another one by now: then nothing has been written.
local row = redis.call('HGET', KEYS[1], 'h')
local found = redis.call('HGET', KEYS[2], 's' .. ARGV[1])
if not row or not found or string.sub(found, 5, 8) ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[2], 's' .. ARGV[1], ARGV[3])
if ARGV[4] == '' then
  redis.call('HDEL', KEYS[2], 'c' .. ARGV[1])
else
  redis.call('HSET', KEYS[2], 'c' .. ARGV[1], ARGV[4])
end
-- Whoever keeps batches in memory sees by this count that they have changed.
redis.call('HSET', KEYS[1], 'h',
  string.sub(row, 1, 136) .. struct.pack('<I4', struct.unpack('<I4', row, 137) + 1) .. string.sub(row, 141))
redis.call('HINCRBY', KEYS[3], 'erased', 1)
redis.call('HSETNX', KEYS[3], 'erasedSince', ARGV[5])
return 1
