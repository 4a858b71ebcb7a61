-- The batches that hold these events, each once.
--
-- KEYS[1] lane hash: field h is the head row (head-row.ts)
-- KEYS[2] hash of the segment that all the events are in, KEYS[3] of the one before it
--
-- ARGV[1]  events in a segment
-- ARGV[2]  bytes after which no further batch is looked for
-- ARGV[3]  '1': with contents
-- ARGV[4..] seqs of the events, in order
--
-- Returns the head row, then for each batch its row (entry-row.ts) and its contents ('' if it has none). Nothing at all
-- if there is no such log.
local row = redis.call('HGET', KEYS[1], 'h')
if not row then
  return {}
end
local result = { row }
if #row ~= 160 then
  return result
end
local last, trimmed = struct.unpack('<i8', row, 33), struct.unpack('<I8', row, 153)
local size = tonumber(ARGV[1])
local bytes, next = 0, -1
for i = 4, #ARGV do
  local seq = tonumber(ARGV[i])
  if seq >= next and seq >= trimmed and seq <= last then
    -- A batch is stored under the place of its first event: look back from the one that is wanted.
    local key, at = KEYS[2], seq % size
    local found
    while true do
      found = redis.call('HGET', key, 's' .. struct.pack('>I2', at))
      if found then
        break
      end
      at = at - 1
      if at < 0 then
        if key == KEYS[3] then
          return result
        end
        key, at = KEYS[3], size - 1
      end
    end
    local content = ''
    if ARGV[3] == '1' then
      content = redis.call('HGET', key, 'c' .. struct.pack('>I2', at)) or ''
    end
    result[#result + 1] = found
    result[#result + 1] = content
    bytes = bytes + #found + #content
    next = struct.unpack('<I8', found, 9) + struct.unpack('<I4', found, 17)
    if bytes >= tonumber(ARGV[2]) then
      break
    end
  end
end
return result
