--[[
  Makes and moves watermarks: one compare-and-set for each key, in the order of the keys, each on its own. The same key may
  come more than once.

  A row is 88 bytes (guard-store.ts): u16 format, u16 zero, u32 checksum, the head (80 bytes).

  KEYS[i]  row of one (enclave, lane)

  ARGV[i]  88 bytes: make this row if there is none
           168 bytes: the expected head (80), then the new row (88): replace a row of the same format that has this head

  Returns one byte for each key: '1' made or moved, '0' refused. A refused make writes the row that is there once more, so
  that the WAIT behind it counts it: the caller relies on there being one.
]]
local results = {}
for i, key in ipairs(KEYS) do
  local row = redis.call('GET', key)
  local call = ARGV[i]
  local result = '0'
  if #call == 88 then
    if not row then
      redis.call('SET', key, call)
      result = '1'
    else
      redis.call('SET', key, row)
    end
  elseif row and #row == 88 and string.sub(row, 9) == string.sub(call, 1, 80)
      and string.sub(row, 1, 2) == string.sub(call, 81, 82) then
    redis.call('SET', key, string.sub(call, 81))
    result = '1'
  end
  results[i] = result
end
return table.concat(results)
