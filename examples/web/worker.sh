#!/bin/sh
# The worker of examples/web.cltab: writes a page from what it finds in redis, again and again.
set -eu

write_page() {
    visits=$(redis-cli -p 16379 incr writes)
    mkdir -p pages
    echo "hello from redis, written $visits times" >pages/index.new
    mv pages/index.new pages/index.html
}

write_page
# Ready: the first page is there.
echo ready >&3
exec 3>&-
while sleep 1; do
    write_page
done
