-- Puts a topology in place of the one before it.
--   KEYS[1]  the topology: a hash of version, shards, and before (the shards of the version before)
--   ARGV[1]  version that it replaces, 0 for none
--   ARGV[2]  shards of the new one
-- Returns 1, or 0 if another version is there: then nothing was written.
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
if version ~= tonumber(ARGV[1]) then
  return 0
end
local before = redis.call('HGET', KEYS[1], 'shards') or '0'
redis.call('HSET', KEYS[1], 'version', version + 1, 'shards', ARGV[2], 'before', before)
return 1
