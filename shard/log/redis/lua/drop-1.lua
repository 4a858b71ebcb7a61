-- Removes a key that is on another server now.
--
-- KEYS[1] the key
--
-- Returns 1 if it was there, else 0.
return redis.call('UNLINK', KEYS[1])
