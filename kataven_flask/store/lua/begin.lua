-- Note since when a shard is remembered; the rule is `begun` in base.py.
-- KEYS: since
-- ARGV: now (ms), clock skew (ms)
local since, now, skew = redis.call('GET', KEYS[1]), tonumber(ARGV[1]), tonumber(ARGV[2])
if not since or now + skew < tonumber(since) then
  redis.call('SET', KEYS[1], ARGV[1])
end
