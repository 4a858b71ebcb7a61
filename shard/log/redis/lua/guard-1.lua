-- Records the release guard that this log belongs to.
--
-- KEYS[1] server hash: field guard is the guard's id
--
-- ARGV[1] id, 16 bytes
--
-- Returns 1.
redis.call('HSET', KEYS[1], 'guard', ARGV[1])
return 1
