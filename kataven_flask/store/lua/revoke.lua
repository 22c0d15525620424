-- End what a user, or a client key, began before a time.
-- KEYS: revoked user or key
-- ARGV: at (ms), lifetime (s)
local at = math.max(tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or 0))
local longest = math.max(tonumber(ARGV[2]), redis.call('TTL', KEYS[1]))
redis.call('SET', KEYS[1], string.format('%.0f', at), 'EX', string.format('%d', longest))
