-- Drops batches that are in the archive.
--
-- KEYS[1]  lane hash: field h is the head row (head-row.ts)
-- KEYS[2..] hashes of the segments that are touched
--
-- ARGV[1]  epoch (24 bytes) under which it is done
-- ARGV[2]  seq up to which batches have been dropped before
-- ARGV[3]  seq up to which they are dropped now
-- ARGV[4..] changes, two each: number of the key in KEYS, field to remove ('' for the whole segment, of those that no
--           append can go into any more)
--
-- Returns 1, or 0 if another owner is there, or another trim was: then nothing has been written.
local row = redis.call('HGET', KEYS[1], 'h')
if not row or string.sub(row, 9, 32) ~= ARGV[1] or struct.unpack('<I8', row, 153) ~= tonumber(ARGV[2]) then
  return 0
end
for i = 4, #ARGV, 2 do
  local key = KEYS[tonumber(ARGV[i])]
  if ARGV[i + 1] == '' then
    redis.call('UNLINK', key)
  else
    redis.call('HDEL', key, ARGV[i + 1])
  end
end
redis.call('HSET', KEYS[1], 'h', string.sub(row, 1, 152) .. struct.pack('<I8', tonumber(ARGV[3])))
return 1
