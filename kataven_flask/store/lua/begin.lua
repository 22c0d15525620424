-- Note since when a shard is remembered; an earlier note stands.
-- KEYS: since
-- ARGV: now (s)
local since = redis.call('GET', KEYS[1])
if not since or tonumber(ARGV[1]) < tonumber(since) then
  redis.call('SET', KEYS[1], ARGV[1])
end
