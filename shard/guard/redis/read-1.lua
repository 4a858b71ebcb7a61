--[[
  Reads a watermark so that it can be relied on: what is there is written once more, so that the WAIT behind it counts it.
  (A plain read may return what a replica does not have yet, and a promotion would take back.)

  KEYS[1]  row of one (enclave, lane)

  Returns the row, or nil (and writes nothing) if there is none.
]]
local row = redis.call('GET', KEYS[1])
if row then
  redis.call('SET', KEYS[1], row)
end
return row
