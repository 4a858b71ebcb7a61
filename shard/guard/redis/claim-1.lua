--[[
  Whose guard this is. A new store gets the id that is offered; a store that has one keeps it.

  KEYS[1]  hash of the store: `format` (u16, little-endian), `id` (16 bytes), `touched` (text)

  ARGV[1]  format to give to a new store (2 bytes)
  ARGV[2]  id to give to a new store (16 bytes)
  ARGV[3]  any text that differs from the last one

  Returns { format, id } as they are now. Always writes, so that the WAIT behind it counts what is returned.
]]
redis.call('HSETNX', KEYS[1], 'format', ARGV[1])
redis.call('HSETNX', KEYS[1], 'id', ARGV[2])
redis.call('HSET', KEYS[1], 'touched', ARGV[3])
return redis.call('HMGET', KEYS[1], 'format', 'id')
