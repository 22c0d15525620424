<?php // Reads tokens, each a line of base64, and tells of each what verify_session makes of it.
require 'vendor/autoload.php';
require 'session.php';

while (($line = fgets(STDIN)) !== false) {
    try {
        $claims = verify_session(base64_decode(trim($line)), getenv('KATAVEN_URL'));
        echo "good $claims->sub\n";
    } catch (InvalidSession) {
        echo "invalid\n";
    } catch (Throwable $error) {
        echo 'no keys: ', $error->getMessage(), "\n";
    }
}
