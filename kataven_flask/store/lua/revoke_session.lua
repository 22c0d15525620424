-- End a session, known or not.
-- KEYS: session
-- ARGV: lifetime (s)
local record = redis.call('GET', KEYS[1]) or '0 0 0 '
local generation, rotated = record:match('^(%d+) (%d+) ')
local longest = math.max(tonumber(ARGV[1]), redis.call('TTL', KEYS[1]))
redis.call('SET', KEYS[1], generation .. ' ' .. rotated .. ' 1 ', 'EX', string.format('%d', longest))
