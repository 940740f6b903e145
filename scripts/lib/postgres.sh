# shellcheck shell=bash
# The stack's own PostgreSQL: a cluster under $local_dir/postgres that listens on 127.0.0.1 and in a socket folder only
# its owner may enter. PostgreSQL refuses to run as root, so root runs it as the system user `postgres`.
# Passwords are random, made at the first start and kept in $secrets (0600); everybody, local or not, needs one (SCRAM).

pg_link=$local_dir/postgres

# Where the cluster lies: in $pg_link, or where that points to (see place_pg_home).
locate_pg_home() {
    pg_home=$(readlink -f "$pg_link" || echo "$pg_link")
    pg_data=$pg_home/data
    marks["postgres"]="-D $pg_data"
}

# Runs a command as PostgreSQL's user, becoming it (no process in between).
as_pg_user() {
    if ((EUID == 0)); then
        exec setpriv --reuid=postgres --regid=postgres --init-groups "$@"
    fi
    exec "$@"
}

# The programs' folder: the one that fits the data, else the newest.
pg_bin() {
    local folder
    if [[ -f $pg_data/PG_VERSION ]]; then
        folder=/usr/lib/postgresql/$(<"$pg_data/PG_VERSION")/bin
        if [[ -x $folder/postgres ]]; then
            echo "$folder"
            return
        fi
    fi
    folder=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1 || true)
    if [[ -z $folder ]]; then folder=$(dirname "$(command -v initdb)"); fi
    echo "$folder"
}

# Root's checkout may lie where the user postgres may not look (/root, a 0700 folder). The data then goes to /var/lib,
# with a link in its place.
place_pg_home() {
    local outside
    if [[ -L $pg_link && ! -e $pg_link ]]; then rm -f "$pg_link"; fi
    if [[ ! -e $pg_link ]]; then
        if ((EUID != 0)) || (as_pg_user test -x "$local_dir"); then
            mkdir "$pg_link"
        else
            outside=/var/lib/wallet-stack/$(printf %s "$local_dir" | sha256sum | cut -c1-12)
            say "the user postgres may not enter $local_dir: its data goes to $outside"
            # What lies there belongs to a checkout that was deleted; its passwords went with it.
            rm -rf "$outside"
            mkdir -p "$outside"
            ln -s "$outside" "$pg_link"
        fi
    fi
    chmod 0700 "$pg_link/."
    if ((EUID == 0)); then chown postgres:postgres "$pg_link/."; fi
    locate_pg_home
}

remove_pg_home() {
    if [[ -L $pg_link ]]; then
        rm -rf "$(readlink "$pg_link")"
        rmdir --ignore-fail-on-non-empty /var/lib/wallet-stack
    fi
    rm -rf "$pg_link"
}

create_cluster() {
    local password_file=$pg_home/password
    if [[ -f $pg_data/PG_VERSION ]]; then return; fi
    say "creating a PostgreSQL cluster in $pg_data"
    rm -rf "$pg_data" "$pg_data.new"
    (umask 077 && echo "$WALLET_PG_ADMIN_PASSWORD" >"$password_file")
    if ((EUID == 0)); then chown postgres "$password_file"; fi
    if ! (cd / && as_pg_user "$(pg_bin)/initdb" --pgdata="$pg_data.new" --username=postgres --pwfile="$password_file" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --data-checksums >"$log/initdb.log" 2>&1); then
        show_log initdb
        fail "PostgreSQL's initdb failed"
    fi
    rm -f "$password_file"
    echo "include_if_exists = 'stack.conf'" >>"$pg_data.new/postgresql.conf"
    mv "$pg_data.new" "$pg_data"
}

# A Unix socket's path has 107 characters at most; in deeper checkouts there is TCP alone.
pg_socket_folder() {
    if ((${#pg_home} <= 80)); then echo "$pg_home/socket"; fi
}

# Durable as in production; sized for two cores and a few gigabytes shared with everything else.
pg_settings() {
    local compression=pglz
    if "$(pg_bin)/pg_config" --configure | grep -q -- --with-lz4; then compression=lz4; fi
    cat <<CONF
# Written by scripts/lib/postgres.sh at every start.
listen_addresses = '127.0.0.1'
port = $WALLET_PG_PORT
unix_socket_directories = '$(pg_socket_folder)'
password_encryption = 'scram-sha-256'
max_connections = 100

fsync = on
synchronous_commit = on
full_page_writes = on
wal_compression = $compression
default_toast_compression = $compression
min_wal_size = 1GB
max_wal_size = 4GB
wal_buffers = 16MB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9

shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 8MB
maintenance_work_mem = 128MB
random_page_cost = 1.1
jit = off
autovacuum_naptime = 15s

timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%a: '
log_checkpoints = on
log_lock_waits = on
CONF
}

pg_ready() {
    PGCONNECT_TIMEOUT=2 PGPASSWORD=$WALLET_PG_ADMIN_PASSWORD admin_sql -c 'SELECT 1' >/dev/null 2>&1
}

admin_sql() { # PSQL ARGUMENT...
    PGPASSWORD=$WALLET_PG_ADMIN_PASSWORD PGOPTIONS='' "$(pg_bin)/psql" --no-psqlrc --quiet --tuples-only --no-align \
        --set=ON_ERROR_STOP=1 --host=127.0.0.1 --port="$WALLET_PG_PORT" --username=postgres --dbname=postgres "$@"
}

# The service's role owns its database and nothing else.
create_database() {
    if [[ $(admin_sql -c "SELECT count(*) FROM pg_roles WHERE rolname = 'wallet'") == 0 ]]; then
        # Through standard input: a password among the arguments would show in the list of processes.
        admin_sql <<<"CREATE ROLE wallet LOGIN PASSWORD '$WALLET_PG_PASSWORD';"
    fi
    if [[ $(admin_sql -c "SELECT count(*) FROM pg_database WHERE datname = 'wallet'") == 0 ]]; then
        admin_sql -c 'CREATE DATABASE wallet OWNER wallet'
    fi
}

# Processes of a PostgreSQL that was killed: they work in its data folder. Asked as its user, who may see that.
has_old_processes() {
    # shellcheck disable=SC2016
    (as_pg_user bash -c 'for c in /proc/[0-9]*/cwd; do [[ $(readlink "$c") == "$1" ]] && exit 0; done; exit 1' - \
        "$(readlink -f "$pg_data")") 2>/dev/null
}

# A killed PostgreSQL leaves backends that take a moment to end, and its pid may live on in a process nobody has waited
# for or in another program; PostgreSQL would refuse to start in both cases.
clear_old_postgres() {
    local deadline=$((SECONDS + WALLET_STOP_TIMEOUT_S)) pid
    if [[ ! -f $pg_data/postmaster.pid ]]; then return; fi
    while has_old_processes; do
        if ((SECONDS >= deadline)); then fail "processes of an earlier PostgreSQL still work in $pg_data"; fi
        sleep 0.1
    done
    pid=$(head -n 1 "$pg_data/postmaster.pid")
    if [[ -d /proc/$pid ]]; then rm -f "$pg_data/postmaster.pid" "$pg_home"/socket/.s.PGSQL.*; fi
}

start_postgres() {
    local fingerprint settings
    place_pg_home
    create_cluster
    settings=$(pg_settings)
    fingerprint=$(sha256sum <<<"$settings" | cut -d' ' -f1)
    if ! current postgres "$fingerprint"; then
        stop postgres INT QUIT
        clear_old_postgres
        require_free_port "$WALLET_PG_PORT" WALLET_PG_PORT
        echo "$settings" >"$pg_data/stack.conf"
        mkdir -p "$pg_home/socket"
        chmod 0700 "$pg_home/socket"
        if ((EUID == 0)); then
            chown postgres:postgres "$pg_data/stack.conf" "$pg_data/postgresql.conf" "$pg_home/socket"
            launch postgres "$fingerprint" setpriv --reuid=postgres --regid=postgres --init-groups \
                "$(pg_bin)/postgres" -D "$pg_data"
        else
            launch postgres "$fingerprint" "$(pg_bin)/postgres" -D "$pg_data"
        fi
        say "postgres starts on port $WALLET_PG_PORT"
    fi
    # Also one that ran already: it may have stopped answering.
    await postgres ready "$WALLET_READY_TIMEOUT_S" pg_ready
    create_database
}
