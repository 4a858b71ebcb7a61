-- Puts a key of an enclave that is being moved, as DUMP gave it.
--
-- KEYS[1] the key
--
-- ARGV[1] what DUMP gave, '' if the key is not there
--
-- Returns 1.
if ARGV[1] == '' then
  redis.call('UNLINK', KEYS[1])
else
  redis.call('RESTORE', KEYS[1], 0, ARGV[1], 'REPLACE')
end
return 1
