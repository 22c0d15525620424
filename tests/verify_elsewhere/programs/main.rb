# Reads tokens, each a line of base64, and tells of each what SessionVerifier makes of it.
require_relative "session"

$stdout.sync = true
sessions = SessionVerifier.new(ENV.fetch("KATAVEN_URL"))
$stdin.each_line do |line|
  puts "good #{sessions.verify(line.unpack1("m").force_encoding("UTF-8"))["sub"]}"
rescue InvalidSession
  puts "invalid"
rescue StandardError => error
  puts "no keys: #{error.message}"
end
