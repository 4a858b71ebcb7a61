-- The append-only files have been rewritten since: forgets the erasures that were before.
--
-- KEYS[1] server hash: erased counts erasures, rewritten those of them that no file holds any more
--
-- ARGV[1] erasures counted before the rewrite began
-- ARGV[2] the time then, ms: since when those that came later wait, at most
--
-- Returns how many are left for the next rewrite.
local rewritten = math.max(tonumber(ARGV[1]), tonumber(redis.call('HGET', KEYS[1], 'rewritten') or '0'))
local left = tonumber(redis.call('HGET', KEYS[1], 'erased') or '0') - rewritten
redis.call('HSET', KEYS[1], 'rewritten', rewritten)
if left > 0 then
  redis.call('HSET', KEYS[1], 'erasedSince', ARGV[2])
else
  redis.call('HDEL', KEYS[1], 'erasedSince')
end
return left
