# shellcheck shell=bash
# The stack's own nats-server with JetStream under $local_dir/nats: 127.0.0.1 only, a random password kept in $secrets.

nats_home=$local_dir/nats
nats_conf=$nats_home/nats.conf

# The pinned server, or the one WALLET_NATS_SERVER names.
nats_program() {
    echo "${WALLET_NATS_SERVER:-$root/.local/tools/bin/nats-server}"
}

# `sync_interval: always` syncs each message before it is acknowledged, so that a power failure loses none. Servers
# before 2.10 refuse the word and sync every two minutes: fit for development, not for money.
nats_sync_setting() {
    local version
    version=$("$(nats_program)" --version | sed 's/.*v//')
    if [[ $(printf '%s\n' 2.10 "$version" | sort -V | head -n 1) == 2.10 ]]; then
        echo 'sync_interval: always'
    fi
}

nats_settings() {
    cat <<CONF
# Written by scripts/lib/nats.sh at every start.
server_name: "wallet-$WALLET_NATS_PORT"
listen: "127.0.0.1:$WALLET_NATS_PORT"
${WALLET_NATS_MONITOR_PORT:+http: \"127.0.0.1:$WALLET_NATS_MONITOR_PORT\"}
max_payload: 1MB
write_deadline: "5s"
jetstream {
    store_dir: "$nats_home"
    max_memory_store: 64MB
    max_file_store: 16GB
    $(nats_sync_setting)
}
authorization {
    user: wallet
    password: "$WALLET_NATS_PASSWORD"
}
CONF
}

# The server greets each connection with a line that says INFO.
nats_ready() {
    local greeting=''
    { IFS= read -r -t 2 greeting <&3; } 3<>"/dev/tcp/127.0.0.1/$WALLET_NATS_PORT" || true
    [[ $greeting == INFO* ]]
} 2>/dev/null

start_nats() {
    local fingerprint settings
    if [[ ! -x $(nats_program) ]]; then fail "there is no nats-server at $(nats_program)"; fi
    mkdir -p "$nats_home"
    chmod 0700 "$nats_home"
    settings=$(nats_settings)
    fingerprint=$({ nats_program && echo "$settings"; } | sha256sum | cut -d' ' -f1)
    if current nats "$fingerprint"; then return; fi
    stop nats TERM
    require_free_port "$WALLET_NATS_PORT" WALLET_NATS_PORT
    (umask 077 && echo "$settings" >"$nats_conf")
    launch nats "$fingerprint" "$(nats_program)" --config "$nats_conf"
    await nats ready "$WALLET_READY_TIMEOUT_S" nats_ready
    say "nats-server $("$(nats_program)" --version | sed 's/.*v//') runs on port $WALLET_NATS_PORT"
}
