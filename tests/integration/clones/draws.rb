# Ruby's share of draws.py.
require 'json'
require 'openssl'
require 'securerandom'
$stdout.sync = true
$stdin.each_line do
  puts JSON.generate('SecureRandom' => SecureRandom.hex(16), 'uuid' => SecureRandom.uuid, 'OpenSSL::Random' => OpenSSL::Random.random_bytes(16).unpack1('H*'),
                     'rand' => rand)
end
