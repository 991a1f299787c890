#!/bin/sh
# Redis in memory, loaded once before the snapshot: every clone starts with the data in place.
set -eu
server=$(command -v redis6-server || command -v redis-server)
"$server" --port 6379 --bind 127.0.0.1 --save '' --appendonly no --daemonize yes
exec python3 -u front.py
