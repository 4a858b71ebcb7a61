-- A Delete has been carried out: forgets it.
--
-- KEYS[1] Deletes of the lane that are still to be carried out: set of event ids
-- KEYS[2] erasures: sorted set of members that have such Deletes, by time
--
-- ARGV[1] event id
-- ARGV[2] member: prefix of the log (enclave32 lane4)
--
-- Returns how many Deletes of the lane are left.
redis.call('SREM', KEYS[1], ARGV[1])
local left = redis.call('SCARD', KEYS[1])
if left == 0 then
  redis.call('ZREM', KEYS[2], ARGV[2])
end
return left
