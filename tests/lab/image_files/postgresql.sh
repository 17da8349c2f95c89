#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Starts PostgreSQL; the first time, on an empty volume, makes the database cluster.
# PGDATA                  where it is: a directory inside the volume, not the volume's own top
# POSTGRES_PASSWORD_FILE  file with the password of the user postgres, needed the first time; or POSTGRES_PASSWORD, the password itself
set -eu

bin=/usr/lib/postgresql/17/bin
unfinished=$PGDATA.unfinished

create_cluster() {
    umask 077
    # A container that was killed here leaves an unfinished directory; only the last step gives it its name.
    rm -rf "$unfinished" "$unfinished.password"
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        cat "$POSTGRES_PASSWORD_FILE" > "$unfinished.password"
    else
        printf '%s\n' "${POSTGRES_PASSWORD:-}" > "$unfinished.password"
    fi
    if [ -z "$(cat "$unfinished.password")" ]; then
        rm -f "$unfinished.password"
        echo "postgresql: no password: set POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD" >&2
        exit 1
    fi
    "$bin/initdb" --pgdata="$unfinished" --username=postgres --pwfile="$unfinished.password" \
        --auth-local=peer --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --data-checksums --no-instructions
    rm -f "$unfinished.password"
    echo 'host all all all scram-sha-256' >> "$unfinished/pg_hba.conf"
    sync
    mv "$unfinished" "$PGDATA"
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    create_cluster
fi
unset POSTGRES_PASSWORD
# Besides the volume only /tmp is written to, so that the root file system may be read-only.
exec "$bin/postgres" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
