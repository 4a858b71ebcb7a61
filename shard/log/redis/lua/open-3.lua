-- Takes ownership: raises the epoch, of a log that is not there yet too.
--
-- KEYS[1] lane hash: field h is the head row (head-row.ts), m says that the log has been moved to another server
-- KEYS[2] logs: sorted set of all members, all with score 0
-- KEYS[3] due: sorted set of members by due time
--
-- ARGV[1] nonce of the new owner, 16 bytes
-- ARGV[2] member: prefix of the log (enclave32 lane4)
-- ARGV[3] head row of a new log
-- ARGV[4] a damaged head row that the new one may replace, or ''
-- ARGV[5] newest format that the caller knows
--
-- Returns the head row with the raised epoch; or the row as it is, if it has another length or a newer format; or, of a
-- log that has been moved, what m says in a list.
local moved = redis.call('HGET', KEYS[1], 'm')
if moved then
  return { moved }
end
local row = redis.call('HGET', KEYS[1], 'h')
if not row or row == ARGV[4] then
  row = ARGV[3]
  redis.call('ZREM', KEYS[3], ARGV[2])
elseif #row ~= 160 or struct.unpack('<I2', row) > tonumber(ARGV[5]) then
  return row
end
local raised = string.sub(row, 1, 8) .. struct.pack('<I8', struct.unpack('<I8', row, 9) + 1) .. ARGV[1]
  .. string.sub(row, 33)
redis.call('HSET', KEYS[1], 'h', raised)
redis.call('ZADD', KEYS[2], 0, ARGV[2])
return raised
