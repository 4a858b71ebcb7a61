-- The conditional write (ARCHITECTURE, section 3): if epoch and head are the expected ones, writes the batch and the new head.
--
-- KEYS[1]  lane hash: field h is the head row (head-row.ts)
-- KEYS[2]  hash of the segment that the batch goes into
-- KEYS[3]  due: sorted set of members by due time
-- KEYS[4..] hashes that the closings go into, besides KEYS[1]
-- and, if the batch deletes something, the last two:
--          Deletes of this lane that are still to be carried out: set of event ids
--          erasures: sorted set of members that have such Deletes, by time
--
-- ARGV[1]  epoch and head that the head row must hold (its bytes 8..111)
-- ARGV[2]  bytes 0..7 of the new head row
-- ARGV[3]  bytes 32..127 of the new head row: head, time of the last event, due time
-- ARGV[4]  due time as a number
-- ARGV[5]  member: prefix of the log (enclave32 lane4)
-- ARGV[6]  be16 place of the batch in its segment
-- ARGV[7]  number of events
-- ARGV[8]  the batch without its contents (entry-row.ts)
-- ARGV[9]  its contents, one behind the other
-- ARGV[10] bytes that it adds to the size of the log
-- ARGV[11] time of the last event
-- ARGV[12] number of closings, then for each: number of its key in KEYS, field, row
--          then the ids of the events that the batch deletes
--
-- Returns 1, or 0 if another owner or another head is there: then nothing has been written.
local row = redis.call('HGET', KEYS[1], 'h')
if not row or string.sub(row, 9, 112) ~= ARGV[1] then
  return 0
end

local ordinal = struct.unpack('<I4', row, 129)
local behind = 0
if ARGV[7] == '0' then
  behind = ordinal + 1
  redis.call('HSET', KEYS[2], 'z' .. ARGV[6] .. struct.pack('>I2', ordinal), ARGV[8])
elseif ARGV[9] == '' then
  redis.call('HSET', KEYS[2], 's' .. ARGV[6], ARGV[8])
else
  redis.call('HSET', KEYS[2], 's' .. ARGV[6], ARGV[8], 'c' .. ARGV[6], ARGV[9])
end

local at = 13
for _ = 1, tonumber(ARGV[12]) do
  redis.call('HSET', KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2])
  at = at + 3
end
if at <= #ARGV then
  for i = at, #ARGV do
    redis.call('SADD', KEYS[#KEYS - 1], ARGV[i])
  end
  redis.call('ZADD', KEYS[#KEYS], 'NX', ARGV[11], ARGV[5])
end

if string.sub(row, 121, 128) ~= string.sub(ARGV[3], 89, 96) then
  if ARGV[4] == '0' then
    redis.call('ZREM', KEYS[3], ARGV[5])
  else
    redis.call('ZADD', KEYS[3], ARGV[4], ARGV[5])
  end
end

redis.call('HSET', KEYS[1], 'h', table.concat({
  ARGV[2], string.sub(row, 9, 32), ARGV[3], struct.pack('<I4', behind), string.sub(row, 133, 144),
  struct.pack('<I8', struct.unpack('<I8', row, 145) + tonumber(ARGV[10])), string.sub(row, 153, 160)
}))
return 1
