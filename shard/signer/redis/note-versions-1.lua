--[[
  Notes versions of the master secret; one that is known stays as it is.

  KEYS[1]  hash: version (text) → fingerprint (32 bytes); field `touched` (text)

  ARGV[1]          any text that differs from the last one
  ARGV[2i], [2i+1] version and fingerprint

  Returns the hash as it is now, fields and values in turn. Always writes, so that the WAIT behind it counts what is
  returned.
]]
redis.call('HSET', KEYS[1], 'touched', ARGV[1])
for i = 2, #ARGV, 2 do
  redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1])
end
return redis.call('HGETALL', KEYS[1])
