-- Batches in order, from the one that holds an event on.
--
-- KEYS[1] lane hash: field h is the head row (head-row.ts)
-- KEYS[2] hash of the event's segment, KEYS[3] of the one before it, KEYS[4] of the one behind it
--
-- ARGV[1] seq of the event
-- ARGV[2] events in a segment
-- ARGV[3] bytes after which no further batch is begun; closings behind a batch come with it
-- ARGV[4] '1': with contents
--
-- Returns the head row, then for each batch its row (entry-row.ts) and its contents ('' if it has none). It ends early
-- where the segment does. Nothing at all if there is no such log.
local row = redis.call('HGET', KEYS[1], 'h')
if not row then
  return {}
end
local result = { row }
local seq = tonumber(ARGV[1])
local size = tonumber(ARGV[2])
if #row ~= 160 or seq > struct.unpack('<i8', row, 33) or seq < struct.unpack('<I8', row, 153) then
  return result
end

-- A batch is stored under the place of its first event: look back from the one that is wanted.
local key, before = KEYS[2], false
local at = seq % size
local found
while true do
  found = redis.call('HGET', key, 's' .. struct.pack('>I2', at))
  if found then
    break
  end
  at = at - 1
  if at < 0 then
    if before or KEYS[3] == key then
      return result
    end
    before, key, at = true, KEYS[3], size - 1
  end
end

local bytes = 0
while found do
  local content = ''
  if ARGV[4] == '1' then
    content = redis.call('HGET', key, 'c' .. struct.pack('>I2', at)) or ''
  end
  result[#result + 1] = found
  result[#result + 1] = content
  bytes = bytes + #found + #content
  at = at + struct.unpack('<I4', found, 17)

  -- Closings without events stand in the segment of the event before them, counted from 0.
  local behind, place = key, at
  if place > size then
    behind, place = before and KEYS[2] or KEYS[4], place - size
  end
  local n = 0
  while true do
    local closing = redis.call('HGET', behind, 'z' .. struct.pack('>I2I2', place, n))
    if not closing then
      break
    end
    result[#result + 1] = closing
    result[#result + 1] = ''
    bytes = bytes + #closing
    n = n + 1
  end

  if bytes >= tonumber(ARGV[3]) then
    break
  end
  if at >= size then
    if not before then
      break
    end
    before, key, at = false, KEYS[2], at - size
  end
  found = redis.call('HGET', key, 's' .. struct.pack('>I2', at))
end
return result
