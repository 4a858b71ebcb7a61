-- Takes a heartbeat back if it is still that of the process that asks.
--   KEYS[1]  the heartbeat: JSON of url and process
--   ARGV[1]  the process
-- Returns 1 if it was taken back, else 0.
local beat = redis.call('GET', KEYS[1])
if not beat or cjson.decode(beat).process ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
return 1
