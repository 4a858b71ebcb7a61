--[[
  Reads a value so that it may be relied on: what is there is written once more, so that the WAIT behind it counts it.
  (A plain read may return what a replica does not have yet, and a promotion would take back.)

  KEYS[1]  any string

  Returns the value, or nil (and writes nothing) if there is none.
]]
local value = redis.call('GET', KEYS[1])
if value then
  redis.call('SET', KEYS[1], value)
end
return value
