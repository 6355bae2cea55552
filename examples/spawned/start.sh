#!/bin/sh
# What the web server starts: it passes the socket to listen on as standard input.
exec node /srv/app/node_modules/propylon/bin/propylon.js serve -q --server-name spawned /srv/app/hello.ini
