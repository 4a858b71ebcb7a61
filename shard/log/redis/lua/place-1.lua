-- Says of a log server which of how many it is, if it does not know yet, or if it is told so.
--
-- KEYS[1] server hash: field place
--
-- ARGV[1] the place, such as 0/2, 'moving' while enclaves are being moved, '' for none
-- ARGV[2] '1' to put it in place of another one, '' to leave that
--
-- Returns what stands there now. Always writes, so that the WAIT behind it counts it.
local place = redis.call('HGET', KEYS[1], 'place')
if not place or place == '' or ARGV[2] == '1' then
  place = ARGV[1]
end
redis.call('HSET', KEYS[1], 'place', place)
return place
