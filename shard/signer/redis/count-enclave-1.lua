--[[
  Notes who made an enclave, or takes it back.

  KEYS[1]  set of the enclaves of one creator

  ARGV[1]  enclave id (32 bytes)
  ARGV[2]  '1' to note it, '0' to take it back

  Returns how many the creator has now.
]]
redis.call('SREM', KEYS[1], ARGV[1])
if ARGV[2] == '1' then
  redis.call('SADD', KEYS[1], ARGV[1])
end
return redis.call('SCARD', KEYS[1])
