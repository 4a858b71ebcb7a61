--[[
  Gives an enclave its key. The first one stays.

  KEYS[1]  row of the enclave (key-row.ts)

  ARGV[1]  the row that it gets if it has none

  Returns { 1 if it got this row, else 0; the row that it has now }. Always writes, so that the WAIT behind it counts what
  is returned.
]]
local row = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], row or ARGV[1])
return { row and 0 or 1, row or ARGV[1] }
