#!/bin/sh
# Apache starts this with the socket to listen on as standard input. App and configuration are where no browser comes.
export NODE_ENV=production
exec node /srv/app/node_modules/propylon/bin/propylon.js serve -q --server-name htaccess /srv/app/hello.ini
